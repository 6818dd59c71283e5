// One measurement, as it is kept line by line while a run goes on.
import { z } from 'zod';

export const SCENARIOS = ['first', 'unchanged', 'restore', 'added', 'compacted'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export const sample = z.strictObject({
  round: z.int().positive(),
  subject: z.string(),
  scenario: z.enum(SCENARIOS),
  wallSeconds: z.number(),
  /** User and system, of the process and its children. */
  cpuSeconds: z.number(),
  peakRssMiB: z.number(),
  /** S3 operation → count, as the server counted. */
  requests: z.record(z.string(), z.int()),
  /** A backup: of the objects that are new or were written again. A restore: of the files written. */
  bytes: z.number(),
  /** After a restore: how long `sync -f` of its files still took. */
  syncSeconds: z.number().optional(),
});
export type Sample = z.infer<typeof sample>;

/** A subject that did not do what it should have: the rest of its round is missing. */
export interface Failure {
  round: number;
  subject: string;
  message: string;
}
