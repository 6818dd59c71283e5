// `npm run bench`: the host program against what an operator would use instead, on one machine, in one run. And
// `npm run bench memory`: its peak memory on much data.
import { mkdir, readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { compare } from './compare.ts';
import { benchData } from './data/make.ts';
import { measureMemory } from './memory/memory.ts';
import { cached, source } from './paths.ts';
import { thisMachine } from './results/machine.ts';
import { writeReport } from './results/report.ts';
import { sample } from './results/sample.ts';
import { subjects } from './subjects/all.ts';

/** Results of this size or more are worth keeping. */
const FULL_MIB = 2048;
const say = (line: string) => console.log(`${new Date().toISOString().slice(11, 19)}  ${line}`);

interface Options {
  size: string;
  rounds: string;
  tls?: true;
  only?: string[];
  samples?: string;
  report?: string;
}

async function run(options: Options): Promise<void> {
  const sizeMiB = Number(options.size);
  const startedAt = new Date();
  const machine = await thisMachine();
  const data = await benchData(sizeMiB, say);
  const versions = new Map<string, string | undefined>();
  for (const subject of subjects) {
    if (!versions.has(subject.tool)) versions.set(subject.tool, await subject.version());
  }
  for (const [tool, version] of versions) say(`${tool}: ${version ?? 'not installed'}`);
  const installed = subjects.filter((subject) => versions.get(subject.tool) !== undefined);
  const wanted = installed.filter((subject) => options.only?.includes(subject.tool) ?? true);
  const samplesFile = cached('samples', `${startedAt.toISOString().replaceAll(':', '')}.jsonl`);
  await mkdir(cached('samples'), { recursive: true });
  const tls = options.tls ?? false;
  const compared = options.samples
    ? { samples: await readSamples(options.samples), failures: [] }
    : await compare({ data, subjects: wanted, rounds: Number(options.rounds), tls, samplesFile, say });
  const name = tls ? 'RESULTS-tls.md' : 'RESULTS.md';
  const path = options.report ?? (sizeMiB >= FULL_MIB ? source(name) : cached(name));
  await writeReport(path, { data, ...compared, subjects, versions, machine, startedAt, tls });
  say(`results are in ${path}`);
}

async function readSamples(path: string) {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => sample.parse(JSON.parse(line)));
}

const bench = new Command('bench')
  .description('Measures the host program against its peers and writes the results.')
  .option('--size <MiB>', 'how much data', process.env['BENCH_MIB'] ?? String(FULL_MIB))
  .option('--rounds <number>', 'how often', '3')
  .option('--tls', 'over TLS; the results are RESULTS-tls.md then')
  .option(
    '--only <tool...>',
    'Ringvault, bare, rclone, s5cmd, "aws s3 sync", restic, Medusa; all that are installed by default',
  )
  .option('--samples <file>', 'the samples of an earlier run, of the same size: nothing is measured')
  .option('--report <file>', 'bench/RESULTS.md by default; below .cache/bench for less than 2 GiB')
  .action(run);

bench
  .command('memory')
  .description(
    'Peak memory of the upload with many small files, with much data, and in each manner, into a server that discards.',
  )
  .option('--files <number>', 'small files', '200000')
  .option('--gib <number>', 'distinct blocks', '20')
  .option(
    '--rows <part...>',
    'only those whose names have one of these; the report is below .cache/bench then',
  )
  .action(({ files, gib, rows }: { files: string; gib: string; rows?: string[] }) =>
    measureMemory({ files: Number(files), gib: Number(gib), only: rows, say }),
  );

await bench.parseAsync();
