// Ends a cluster's nodes when the process that started them dies, however it dies (Ctrl-C, SIGKILL, a failed test).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { endedFileOf, quote } from './launch-scripts.ts';
import type { CassandraNode } from './node.ts';

export interface Guard {
  /** Ends all nodes now. */
  end(): Promise<void>;
}

/** The guard reads a pipe that only this process holds: the kernel closes it at this process's death. */
export function guardNodes(nodes: readonly CassandraNode[]): Guard {
  const ends = nodes.map(
    (node) =>
      `touch ${quote(endedFileOf(node))}; ${quote(join(node.binDirectory, 'cassandra-stop'))} --now &`,
  );
  const guard = spawn('bash', ['-c', ['cat >/dev/null', ...ends, 'wait'].join('\n')], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
  });
  const ended = once(guard, 'exit');
  guard.unref();
  return {
    async end() {
      guard.ref();
      guard.stdin.end();
      await ended;
    },
  };
}
