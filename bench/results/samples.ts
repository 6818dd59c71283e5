// Questions that the tables ask of a run's samples.
import type { Subject } from '../subjects/subject.ts';
import { type Sample, SCENARIOS, type Scenario } from './sample.ts';
import { type Spread, spreadOf } from './statistics.ts';

export const HEADINGS: Record<Scenario, string> = {
  first: 'first backup',
  unchanged: 'nothing changed',
  added: '2 % added',
  compacted: 'after a compaction',
  restore: 'restore',
};
export const BACKUPS = SCENARIOS.filter((scenario) => scenario !== 'restore');

type Figure = (sample: Sample) => number;
export const wall: Figure = (sample) => sample.wallSeconds;
export const cpu: Figure = (sample) => sample.cpuSeconds;

export class Samples {
  readonly all: Sample[];
  constructor(all: Sample[]) {
    this.all = all;
  }

  of(subject: string, scenario: Scenario): Sample[] {
    return this.all.filter((each) => each.subject === subject && each.scenario === scenario);
  }

  spread(subject: string, scenario: Scenario, figure: Figure): Spread | undefined {
    return spreadOf(this.of(subject, scenario).map(figure));
  }

  /** One by the other in each round, then over the rounds. */
  ratio(one: string, other: string, scenario: Scenario, figure: Figure = wall): Spread | undefined {
    const others = new Map(this.of(other, scenario).map((each) => [each.round, figure(each)]));
    const ratios = this.of(one, scenario).flatMap((each) => {
      const divisor = others.get(each.round);
      return divisor ? [figure(each) / divisor] : [];
    });
    return spreadOf(ratios);
  }

  /** Of these subjects the one with the least median. */
  best(subjects: Subject[], scenario: Scenario, figure: Figure = wall): Subject | undefined {
    const medianOf = (subject: Subject) => this.spread(subject.name, scenario, figure)?.median ?? Infinity;
    const [best] = [...subjects].sort((one, other) => medianOf(one) - medianOf(other));
    return best && medianOf(best) < Infinity ? best : undefined;
  }
}

/** Parts of larger objects are counted apart: of each such object one request counts, the one that completes it. */
export function requestsWithoutParts(sample: Sample): number {
  const { UploadPart = 0, CreateMultipartUpload = 0 } = sample.requests;
  return requestsOf(sample) - UploadPart - CreateMultipartUpload;
}

export function requestsOf(sample: Sample): number {
  return Object.values(sample.requests).reduce((sum, count) => sum + count, 0);
}
