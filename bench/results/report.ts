// The results as a page: targets first, then wins and losses alike, then every figure.
import { writeFile } from 'node:fs/promises';
import type { BenchData } from '../data/states.ts';
import { S3_SERVER } from '../servers/vault-server.ts';
import { OURS } from '../subjects/host-program.ts';
import type { Subject } from '../subjects/subject.ts';
import type { Machine } from './machine.ts';
import { type Failure, type Sample, SCENARIOS, type Scenario } from './sample.ts';
import { BACKUPS, cpu, HEADINGS, requestsOf, Samples, wall } from './samples.ts';
import { show } from './statistics.ts';
import { table } from './table.ts';
import { targetsOf, verdictOf } from './targets.ts';

export interface Report {
  data: BenchData;
  samples: Sample[];
  failures: Failure[];
  subjects: Subject[];
  /** By tool; undefined: not installed. */
  versions: ReadonlyMap<string, string | undefined>;
  machine: Machine;
  startedAt: Date;
  tls: boolean;
}

const MIB = 1024 ** 2;
/** What is nearer than this is noise on a machine that server and client share. */
const NOISE = 1.3;
const ORDER: Scenario[] = [...BACKUPS, 'restore'];

export async function writeReport(path: string, report: Report): Promise<void> {
  const samples = new Samples(report.samples);
  const sections = [
    '# Benchmark results',
    introduction(report),
    ...failed(report),
    '## Targets',
    targets(report, samples),
    '## Against each peer',
    ratios(report, samples),
    '## Wall time, seconds',
    figures(report, samples, wall),
    `The restore of ${OURS} has flushed its files to the disk when it ends; the others leave that to the system. What a flush of the restored files (\`sync -f\`) took after each:`,
    flushes(report, samples),
    '## CPU, seconds (user and system)',
    figures(report, samples, cpu),
    '## Peak memory (RSS of the largest process), MiB',
    figures(report, samples, (each) => each.peakRssMiB, 0),
    '## Requests, as the server counted',
    figures(report, samples, requestsOf, 0),
    operations(report, samples),
    '## Stored by a backup, MiB (objects that are new or were written again)',
    figures(report, samples, (each) => each.bytes / MIB, 1, BACKUPS),
    '## What was measured, and with what',
    method(report),
    conditions(report),
  ];
  await writeFile(path, `${sections.join('\n\n')}\n`);
}

function introduction({ data, samples, startedAt }: Report): string {
  const { files, bytes, sstables } = data.states.first;
  const rounds = Math.max(0, ...samples.map((each) => each.round));
  return (
    `Written by \`npm run bench\` on ${startedAt.toISOString().slice(0, 10)}: one Cassandra node's snapshot of ${(bytes / MIB).toFixed(0)} MiB ` +
    `in ${files} files of ${sstables} SSTables, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}. Figures are the median of the rounds, with least and most in brackets. ` +
    'Ratios are taken within a round.'
  );
}

function failed({ failures }: Report): string[] {
  if (failures.length === 0) return [];
  const lines = failures.map(
    ({ round, subject, message }) => `- ${subject}, round ${round}: ${message.replaceAll(/\s+/g, ' ')}`,
  );
  return ['## Failures: the rest of these rounds is missing', lines.join('\n')];
}

function targets({ data, subjects }: Report, samples: Samples): string {
  const rows = targetsOf(samples, subjects, data).map((target) => [
    target.what,
    `≤ ${target.limit}`,
    show(target.got, target.digits),
    verdictOf(target),
  ]);
  return table(['target', 'limit', 'measured', 'verdict'], rows);
}

function ratios({ subjects }: Report, samples: Samples): string {
  const rows = subjects
    .filter((subject) => subject.name !== OURS)
    .map((subject) => [
      subject.name,
      ...ORDER.map((scenario) => {
        const ratio = samples.ratio(OURS, subject.name, scenario);
        return ratio ? `${show(ratio)}${wordFor(ratio.median)}` : '–';
      }),
    ]);
  const explained = `Wall time of ${OURS} by that of the other: below 1 it is faster. Under ${NOISE} × either way is noise, and said to be even.`;
  return `${explained}\n\n${table(['', ...ORDER.map((each) => HEADINGS[each])], rows)}`;
}

function wordFor(ratio: number): string {
  if (ratio > NOISE) return ' **loss**';
  return ratio < 1 / NOISE ? ' win' : ' even';
}

function figures(
  { subjects, versions }: Report,
  samples: Samples,
  figure: (sample: Sample) => number,
  digits = 2,
  scenarios = ORDER,
): string {
  const rows = subjects.map((subject) => [
    subject.name,
    ...scenarios.map((scenario) =>
      versions.get(subject.tool) === undefined
        ? 'not installed'
        : show(samples.spread(subject.name, scenario, figure), digits),
    ),
  ]);
  return table(['', ...scenarios.map((each) => HEADINGS[each])], rows);
}

function flushes({ subjects }: Report, samples: Samples): string {
  const rows = subjects.map((subject) => [
    subject.name,
    show(samples.spread(subject.name, 'restore', (each) => each.syncSeconds ?? 0)),
    show(samples.spread(subject.name, 'restore', (each) => each.wallSeconds + (each.syncSeconds ?? 0))),
  ]);
  return table(['', 'flush after the restore', 'restore and flush'], rows);
}

/** Of the last round: they hardly vary. */
function operations({ subjects }: Report, samples: Samples): string {
  const named = (subject: Subject, scenario: Scenario) =>
    Object.entries(samples.of(subject.name, scenario).at(-1)?.requests ?? {})
      .map(([operation, count]) => `${operation} ${count}`)
      .join(', ');
  const scenarios = SCENARIOS.filter((each) => each !== 'compacted');
  const rows = subjects.map((subject) => [subject.name, ...scenarios.map((each) => named(subject, each))]);
  return table(['of the last round', ...scenarios.map((each) => HEADINGS[each])], rows);
}

function method({ data, tls }: Report): string {
  const { added, compacted } = data.states;
  return [
    `- Data made by Cassandra ${data.cassandraVersion}: twelve big SSTables, two hundred small ones, fifty tiny tables, and the system's; random bytes, which nothing shrinks.`,
    `- "2 % added" brings ${added.newSstables} new SSTables of ${(added.newBytes / MIB).toFixed(0)} MiB, "after a compaction" ${compacted.newSstables} of ${(compacted.newBytes / MIB).toFixed(0)} MiB. The restore gets the first backup back, into an empty directory, and is compared byte by byte afterwards.`,
    `- ${OURS} is the program that hosts get, from the deployed bundle, one process per action, with its action document, progress and result in the bucket; the snapshot is there already. The peers copy a tree of hard links to the same files, made anew for each backup as a snapshot is. Nobody's time has \`nodetool\` in it. Medusa asks a running Cassandra node of its own for schema and ring, and takes the snapshot that is there.`,
    '- Subjects take turns within a round and begin each round with another; the warm-up is not counted. Before each measurement the files are read once and the disk is flushed. Each subject and round has a bucket of its own.',
    '- Wall, CPU and peak memory are those of the process and its children, by wait4(2). Requests are counted by the server, whose own counters (`s3proxy.metrics`) cost every subject the same; nothing stands between client and server.',
    `- Server: ${S3_SERVER}, ${tls ? 'TLS' : 'plain HTTP'} over loopback, authorisation on, on the same cores as its clients.`,
  ].join('\n');
}

function conditions({ subjects, versions, machine }: Report): string {
  const { processor, cores, memoryGiB, system, java, load } = machine;
  const about = table(
    ['machine', ''],
    [
      ['processor', `${processor}, ${cores} cores`],
      ['memory', `${memoryGiB} GiB`],
      ['system', system],
      ['Java', java],
      ['load before the run', load.toFixed(2)],
    ],
  );
  const tools = table(
    ['subject', 'version', 'form'],
    subjects.map((subject) => [subject.name, versions.get(subject.tool) ?? 'not installed', subject.form]),
  );
  return [about, tools].join('\n\n');
}
