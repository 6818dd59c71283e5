// Measures every subject in every scenario, round by round, the subjects in turn and in another order each round.
import { appendFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { filesOf, mustBeSameTree } from './data/files.ts';
import { type BenchData, type StateName, treeOf } from './data/states.ts';
import { type Command, measure } from './measure/measure.ts';
import { cached } from './paths.ts';
import { type Failure, type Sample, SCENARIOS, type Scenario } from './results/sample.ts';
import { startTaskServer } from './servers/task-server.ts';
import { startVaultServer } from './servers/vault-server.ts';
import type { Arena, Contestant, Subject } from './subjects/subject.ts';

export interface CompareOptions {
  data: BenchData;
  subjects: Subject[];
  rounds: number;
  /** Whether the subjects speak TLS with the server. */
  tls: boolean;
  /** Each sample is appended to it at once, so that a run that is ended early is not lost. */
  samplesFile: string;
  say(line: string): void;
}

/** Ours and the bare client: they use the server in different ways. */
const WARM_UPS = 2;

/** What is backed up; a restore gets back what the backup before it stored. */
const stateOf: Record<Exclude<Scenario, 'restore'>, StateName> = {
  first: 'first',
  unchanged: 'first',
  added: 'added',
  compacted: 'compacted',
};

export interface Compared {
  samples: Sample[];
  failures: Failure[];
}

export async function compare(options: CompareOptions): Promise<Compared> {
  const work = cached('work');
  await rm(work, { recursive: true, force: true });
  const vault = await startVaultServer(join(work, 's3'), options.tls);
  const tasks = await startTaskServer();
  const samples: Sample[] = [];
  const failures: Failure[] = [];
  const shared = { vault, tasks, data: options.data };
  const play = async (subject: Subject, round: number) => {
    const bucket = `bench-${round}-${subject.name.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()}`;
    const directory = join(work, bucket);
    await mkdir(directory, { recursive: true });
    try {
      await vault.createBucket(bucket);
      return await playAll({ ...shared, bucket, directory }, subject, round, options.say);
    } catch (error) {
      // One that fails is told in the results, and does not take the others' figures with it.
      const message = error instanceof Error ? error.message : String(error);
      options.say(`round ${round}  ${subject.name}  FAILED: ${message}`);
      failures.push({ round, subject: subject.name, message });
      return [];
    } finally {
      await vault.removeBucket(bucket);
      await rm(directory, { recursive: true, force: true });
    }
  };
  try {
    // The server's code is compiled while it runs: the first to use it would pay for all.
    for (const subject of options.subjects.slice(0, WARM_UPS)) await play(subject, 0);
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const subject of inTurn(options.subjects, round)) {
        const played = await play(subject, round);
        samples.push(...played);
        await appendFile(options.samplesFile, played.map((each) => `${JSON.stringify(each)}\n`).join(''));
      }
    }
    return { samples, failures };
  } finally {
    await tasks.stop();
    await vault.stop();
    await rm(work, { recursive: true, force: true });
  }
}

function inTurn(subjects: Subject[], round: number): Subject[] {
  const from = (round - 1) % subjects.length;
  return [...subjects.slice(from), ...subjects.slice(0, from)];
}

async function playAll(
  arena: Arena,
  subject: Subject,
  round: number,
  say: (line: string) => void,
): Promise<Sample[]> {
  const contestant = await subject.begin(arena);
  try {
    return await playScenarios(arena, subject, contestant, round, say);
  } finally {
    await contestant.end?.();
  }
}

async function playScenarios(
  arena: Arena,
  subject: Subject,
  contestant: Contestant,
  round: number,
  say: (line: string) => void,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const scenario of SCENARIOS) {
    if (subject.copiesOnly && scenario !== 'first' && scenario !== 'restore') continue;
    const measured =
      scenario === 'restore'
        ? await playRestore(arena, contestant)
        : await playBackup(arena, contestant, stateOf[scenario]);
    const { wallSeconds, cpuSeconds, peakRssMiB } = measured;
    const figures = `${wallSeconds.toFixed(2)} s, CPU ${cpuSeconds.toFixed(2)} s, ${peakRssMiB.toFixed(0)} MiB`;
    say(`${round === 0 ? 'warm-up' : `round ${round}`}  ${subject.name}  ${scenario}: ${figures}`);
    samples.push({ round, subject: subject.name, scenario, ...measured });
  }
  return samples;
}

type Measured = Omit<Sample, 'round' | 'subject' | 'scenario'>;

async function playBackup(arena: Arena, contestant: Contestant, state: StateName): Promise<Measured> {
  // Always the same path, as a data directory has; new links each time, as a snapshot makes.
  const tree = join(arena.directory, 'tree');
  await rm(tree, { recursive: true, force: true });
  await execa('cp', ['-al', treeOf(arena.data, state), tree]);
  // Everybody finds the same in memory: what is on the disk of it is not what is measured.
  await execa('cat', await paths(tree), { stdout: 'ignore' });
  const before = await filesOf(arena.vault.bucketDirectory(arena.bucket));
  const used = await measureCommand(arena, contestant, await contestant.backup(state, tree));
  let bytes = 0;
  for (const [path, { size, ino, mtimeMs }] of await filesOf(arena.vault.bucketDirectory(arena.bucket))) {
    const earlier = before.get(path);
    if (earlier?.ino !== ino || earlier.mtimeMs !== mtimeMs) bytes += size;
  }
  return { ...used, bytes };
}

async function playRestore(arena: Arena, contestant: Contestant): Promise<Measured> {
  const target = join(arena.directory, 'restored');
  await mkdir(target, { recursive: true });
  const used = await measureCommand(arena, contestant, await contestant.restore(target));
  const started = performance.now();
  await execa('sync', ['-f', target]);
  const syncSeconds = (performance.now() - started) / 1_000;
  const restored = contestant.restored?.(target) ?? target;
  await mustBeSameTree(restored, treeOf(arena.data, 'first'));
  const bytes = [...(await filesOf(restored)).values()].reduce((sum, { size }) => sum + size, 0);
  await rm(target, { recursive: true, force: true });
  return { ...used, bytes, syncSeconds };
}

async function measureCommand(arena: Arena, contestant: Contestant, command: Command) {
  // What others have written goes to the disk now, not while this one is measured.
  await execa('sync');
  const before = await arena.vault.requests(arena.bucket);
  const used = await measure(command);
  const after = await arena.vault.requests(arena.bucket);
  await contestant.after?.();
  const requests: Record<string, number> = {};
  for (const [operation, count] of after) {
    const made = count - (before.get(operation) ?? 0);
    if (made > 0) requests[operation] = made;
  }
  return {
    wallSeconds: used.wallSeconds,
    cpuSeconds: used.userSeconds + used.systemSeconds,
    peakRssMiB: used.peakRssMiB,
    requests,
  };
}

async function paths(tree: string): Promise<string[]> {
  return [...(await filesOf(tree)).keys()].map((path) => join(tree, path));
}
