// The targets, each with what was measured and whether that reaches it in every round.
import type { BenchData } from '../data/states.ts';
import { bareClient } from '../subjects/bare.ts';
import { hostProgram, OURS } from '../subjects/host-program.ts';
import type { Subject } from '../subjects/subject.ts';
import type { Scenario } from './sample.ts';
import { BACKUPS, cpu, HEADINGS, requestsOf, requestsWithoutParts, type Samples } from './samples.ts';
import { type Spread, spreadOf } from './statistics.ts';

export interface Target {
  what: string;
  limit: number;
  got: Spread | undefined;
  digits: number;
}

const GIB = 1024 ** 3;
const RSS_LIMIT_MIB = 250;

export function targetsOf(samples: Samples, subjects: Subject[], data: BenchData): Target[] {
  const peers = subjects.filter((subject) => ![hostProgram, bareClient].includes(subject));
  return [
    ...ratiosOf(samples, peers),
    ...cpuTargets(samples, data),
    ...requestTargets(samples, data),
    {
      what: 'peak RSS of the largest action of a round, MiB',
      limit: RSS_LIMIT_MIB,
      digits: 0,
      got: spreadOf(peaksOf(samples)),
    },
  ];
}

function peaksOf(samples: Samples): number[] {
  const peaks = new Map<number, number>();
  for (const { subject, round, peakRssMiB } of samples.all) {
    if (subject === OURS) peaks.set(round, Math.max(peakRssMiB, peaks.get(round) ?? 0));
  }
  return [...peaks.values()];
}

function ratiosOf(samples: Samples, peers: Subject[]): Target[] {
  const against = (scenario: Scenario, limit: number, other: Subject | undefined, role: string): Target => ({
    what: `${HEADINGS[scenario]}: wall, ${OURS} / ${role}${other && role !== other.name ? ` (${other.name})` : ''}`,
    limit,
    digits: 2,
    got: other && samples.ratio(OURS, other.name, scenario),
  });
  const best = (scenario: Scenario, limit: number) =>
    against(scenario, limit, samples.best(peers, scenario), 'best peer');
  const form = (tool: string, limit: number) => {
    const forms = peers.filter((peer) => peer.tool === tool);
    return against('restore', limit, samples.best(forms, 'restore'), `${tool} in its better form`);
  };
  return [
    against('first', 1.2, bareClient, bareClient.name),
    best('first', 0.65),
    best('unchanged', 0.5),
    best('added', 0.6),
    best('compacted', 0.5),
    form('rclone', 0.7),
    form('s5cmd', 1),
  ];
}

function cpuTargets(samples: Samples, data: BenchData): Target[] {
  const gib = data.states.first.bytes / GIB;
  const perGib = (scenario: Scenario, limit: number): Target => ({
    what: `${HEADINGS[scenario]}: CPU seconds per GiB`,
    limit,
    digits: 2,
    got: samples.spread(OURS, scenario, (each) => each.cpuSeconds / gib),
  });
  const unchanged = samples.spread(OURS, 'unchanged', cpu);
  return [
    perGib('first', 2.3),
    perGib('restore', 2),
    { what: `${HEADINGS.unchanged}: CPU seconds`, limit: 1, digits: 2, got: unchanged },
  ];
}

function requestTargets(samples: Samples, data: BenchData): Target[] {
  const newSstables = { ...mapStates(data), unchanged: 0 };
  return BACKUPS.map((scenario) => ({
    what:
      scenario === 'unchanged'
        ? `${HEADINGS.unchanged}: requests`
        : `${HEADINGS[scenario]}: requests without parts, for ${newSstables[scenario]} new SSTables`,
    limit: scenario === 'unchanged' ? 15 : 2 * newSstables[scenario] + 10,
    digits: 0,
    got: samples.spread(OURS, scenario, scenario === 'unchanged' ? requestsOf : requestsWithoutParts),
  }));
}

function mapStates({ states }: BenchData) {
  return {
    first: states.first.newSstables,
    added: states.added.newSstables,
    compacted: states.compacted.newSstables,
  };
}

/** In every round, or what stands in the way. */
export function verdictOf({ got, limit }: Target): string {
  if (!got) return 'not measured';
  if (got.max <= limit) return 'reached';
  if (got.median <= limit) return '**reached in the median, not in every round**';
  return got.min <= limit ? '**missed in the median, reached in a round**' : '**missed**';
}
