// A stage for the command's tests: ports in memory, a terminal that remembers, and runs that a test moves on.

import { memoryCatalog } from '../../adapters/catalog-memory.ts';
import { manualClock } from '../../adapters/clock-manual.ts';
import { memoryDataKeys } from '../../adapters/data-keys-memory.ts';
import { memoryObjectStore } from '../../adapters/object-store-memory.ts';
import type { ExecutionStatus, Lock } from '../../adapters/ports.ts';
import type { Deployment } from '../../cli/deployment.ts';
import { runCli } from '../../cli/main.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { vaultLayout } from '../../contracts/layout.ts';
import type { NodeOutcome, RunRecord } from '../../contracts/runs.ts';

const START = '2026-11-21T02:00:00.000Z';
export const RUN = '20261121t020000z-0a1b2c3d';
export const INSTANCE = 'i-0123456789abcdef0';

export function arnOf(workflow: string, name = 'one'): string {
  return `arn:aws:states:eu-west-1:111122223333:execution:${workflow}:${name}`;
}

export function record(change: Partial<RunRecord> = {}): RunRecord {
  return {
    formatVersion: 1,
    runId: RUN,
    clusterId: 'demo',
    workflow: 'backup',
    executionArn: arnOf('backup'),
    status: 'COMPLETED',
    startedAt: START,
    endedAt: '2026-11-21T02:03:05.000Z',
    request: { clusterId: 'demo', kind: 'snapshot' },
    files: 120,
    bytes: 3_145_728,
    uploadedBytes: 1_048_576,
    warnings: [],
    nodes: [],
    ...change,
  };
}

/** What happens in the cloud each time that somebody looks at an execution; the last one lasts. */
export interface Moment {
  execution: Partial<ExecutionStatus>;
  run?: RunRecord;
  nodes?: NodeOutcome[];
  lock?: Lock;
  /** E.g. a Ctrl-C of the person. */
  also?: () => void;
}

export function stage(options: { interactive?: boolean; typed?: string } = {}) {
  const clock = manualClock(new Date(START));
  const store = memoryObjectStore({ clock });
  const layout = vaultLayout('');
  const dataKeys = memoryDataKeys('demo');
  const catalog = memoryCatalog({ clock });
  const story: Moment[] = [];
  const started: Array<{ workflow: string; input: unknown }> = [];
  const stopped: string[] = [];
  const output = { stdout: '', stderr: '' };
  const interrupt = new AbortController();
  let now: Moment | undefined;
  const remember = (run: RunRecord) => catalog.putEndedRun(run);
  async function live(moment: Moment): Promise<void> {
    now = moment;
    if (moment.run) await remember({ ...moment.run, nodes: moment.nodes ?? [] });
    const held = await catalog.readLock('demo');
    if (held?.runId !== moment.lock?.runId) {
      if (held) await catalog.release({ ...record(), ...held, startedAt: START, configurationKey: 'c' });
      if (moment.lock) await catalog.claim(moment.lock);
    }
    moment.also?.();
  }
  const deployment: Deployment = {
    clock,
    store,
    layout,
    dataKeys: () => dataKeys,
    executions: {
      async start(workflow, input) {
        started.push({ workflow, input });
        return { executionArn: arnOf(workflow) };
      },
      async stop(executionArn) {
        stopped.push(executionArn);
      },
      async status() {
        const next = story.shift();
        if (next) await live(next);
        return now && { status: 'RUNNING', startedAt: new Date(START), ...now.execution };
      },
    },
    catalog,
  };
  const terminal: Terminal = {
    print: (text) => {
      output.stdout += `${text}\n`;
    },
    note: (text) => {
      output.stderr += `${text}\n`;
    },
    interactive: options.interactive ?? false,
    stderr: process.stderr,
    ask: async () => options.typed,
    interruptible: (work) => work(interrupt.signal),
  };
  const type = (line: string) =>
    runCli(line.split(' '), { terminal, requestedBy: 'ana@desk', connect: async () => deployment });
  /** Makes a cluster known, as its first claim does. */
  const know = (clusterId: string) =>
    store.put(layout.configuration(clusterId, 'c'.repeat(64)), '{}', 'create');
  return {
    ...{ type, know, remember, store, layout, dataKeys, catalog, story, started, stopped, output, interrupt },
    deployment,
  };
}
