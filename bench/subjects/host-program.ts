// The host program as a subject: its real `upload` and `download` actions, by the bundle that hosts get.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { type ActionInput, actions, type BackupSource } from '../../contracts/actions.ts';
import { type BenchData, dataDirectoryOf, type StateName, tagOf } from '../data/states.ts';
import { source } from '../paths.ts';
import { CLUSTER, INSTANCE_ARN, makeHost, newRunId, requestAction } from './host.ts';
import { unpackHostBundle } from './host-bundle.ts';
import type { Arena, Contestant, Subject } from './subject.ts';

let unpacked: Promise<string> | undefined;
const bundle = () => {
  unpacked ??= unpackHostBundle();
  return unpacked;
};

export const OURS = 'Ringvault';

export const hostProgram: Subject = {
  name: OURS,
  tool: OURS,
  form: 'the host program as deployed',
  async version() {
    const { version } = z
      .looseObject({ version: z.string() })
      .parse(JSON.parse(await readFile(source('../package.json'), 'utf8')));
    const commit = await execa('git', ['describe', '--always', '--dirty'], {
      cwd: source('.'),
      reject: false,
    });
    const node = await execa(join(await bundle(), 'bin', 'node'), ['--version']);
    return `${version}, commit ${commit.stdout || 'unknown'}, Node ${node.stdout}`;
  },
  begin: async (arena) => contestant(arena, await bundle()),
};

async function contestant(arena: Arena, program: string): Promise<Contestant> {
  const root = join(arena.directory, 'host');
  await makeHost(root, dataDirectoryOf(arena.data));
  let newest: { backup: BackupSource; state: StateName } | undefined;
  let restoreRun = '';
  let after: () => void = () => undefined;
  return {
    async backup(state) {
      const run = newRunId();
      const input = uploadInput(run, tagOf(state), arena.data.states[state], newest?.backup);
      const command = await requestAction(arena, program, root, run, 'upload', input);
      after = () => {
        const output = actions.upload.output.parse(arena.tasks.outputOf(command.token));
        const { headerSha256, listingSha256 } = output;
        const backup = {
          clusterId: CLUSTER,
          backupId: run,
          instanceArn: INSTANCE_ARN,
          headerSha256,
          listingSha256,
        };
        newest = { state, backup };
        mustBe(output.files, arena.data.states[state].files);
      };
      return command;
    },
    async restore(target) {
      if (!newest) throw new Error('a restore comes after a backup');
      // A node that lost everything: nothing of the host that took the backup is left.
      const other = join(arena.directory, 'restored-host');
      await makeHost(other, target);
      restoreRun = newRunId();
      const { state, backup } = newest;
      const input = { sources: [backup], tables: arena.data.states[state].tables };
      const command = await requestAction(arena, program, other, restoreRun, 'download', input);
      after = () => {
        const output = actions.download.output.parse(arena.tasks.outputOf(command.token));
        mustBe(output.downloadedBytes, arena.data.states[state].bytes);
      };
      await mkdir(target, { recursive: true });
      return command;
    },
    after: async () => after(),
    restored: (target) => join(target, '.ringvault', `${restoreRun}.new`),
  };
}

export function uploadInput(
  run: string,
  tag: string,
  state: Pick<BenchData['states'][StateName], 'tables'>,
  previous?: BackupSource,
): ActionInput<'upload'> {
  const id = '93654103-2d22-4cc2-99ef-2a36e09d4b93';
  const now = new Date().toISOString();
  return {
    backupId: run,
    kind: 'snapshot',
    hostId: id,
    datacenter: 'dc1',
    rack: 'rack1',
    cassandraVersion: '5.0.9',
    schemaVersion: id,
    incrementalBackups: false,
    tag,
    times: { askedAt: now, startedAt: now, doneAt: now, clockOffsetMs: 0 },
    tables: state.tables,
    scope: 'cluster',
    damagedFiles: 'refuse',
    encryption: {},
    previous: previous ? [previous] : [],
  };
}

function mustBe(got: number, expected: number): void {
  if (got !== expected) throw new Error(`host program: answered ${got}, expected ${expected}`);
}
