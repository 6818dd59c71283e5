// The inputs of the workflows, as a person, a schedule or the CLI gives them.
import { z } from 'zod';
import { backupId, clusterId, executionArn, runId } from './identifiers.ts';

const requestedBy = z.string().max(256).optional();

export const backupRequest = z.strictObject({
  clusterId,
  kind: z.enum(['snapshot']).default('snapshot'),
  /** Given by the schedule: the same cluster, kind and time run once. EventBridge writes it without milliseconds. */
  scheduledTime: z.iso.datetime().optional(),
  requestedBy,
});
export type BackupRequest = z.infer<typeof backupRequest>;

export const restoreRequest = z.union([
  z.strictObject({
    operation: z.literal('restore').default('restore'),
    clusterId,
    backupId: z.union([z.literal('latest'), backupId]).default('latest'),
    /** True: checks everything, changes nothing, returns the plan. */
    dryRun: z.boolean().default(false),
    requestedBy,
  }),
  z.strictObject({
    /** undo: puts back the data from before a restore. release: deletes it. */
    operation: z.enum(['undo', 'release']),
    clusterId,
    restoreRunId: z.union([z.literal('latest'), runId]).default('latest'),
    requestedBy,
  }),
]);
export type RestoreRequest = z.infer<typeof restoreRequest>;

/** Who asked for a run, as people may be shown it: one line, no control characters. */
export function whoAsked(request: Record<string, unknown>): string | undefined {
  const asked = requestedBy.safeParse(request['requestedBy']);
  return asked.data?.replaceAll(/\p{C}+/gu, ' ');
}

/** From the rule on execution status, from a failed run, or from the sweep. */
export const recoverRequest = z.strictObject({ executionArn });
