// The inputs of the workflows, as a person, a schedule or the CLI gives them.
import { z } from 'zod';
import { vaultName } from './configuration.ts';
import { backupId, backupKind, clusterId, executionArn, hostId, instanceId, runId } from './identifiers.ts';
import { type Selection, selectionFields, selectionOf } from './selection.ts';

const requestedBy = z.string().max(256).optional();

export const backupRequest = z
  .strictObject({
    clusterId,
    kind: backupKind.default('snapshot'),
    ...selectionFields,
    /** Of an incremental: the backup that it is to go on from, instead of the newest that it can. */
    base: backupId.optional(),
    /** Given by the schedule: the same cluster, schedule (or kind) and time run once. EventBridge writes it without milliseconds. */
    scheduledTime: z.iso.datetime().optional(),
    /** The schedule's name: its window and its policy for overlapping runs go for this one. */
    schedule: z.string().max(20).optional(),
    requestedBy,
  })
  .refine(({ base, kind }) => base === undefined || kind === 'incremental', {
    path: ['base'],
    message: 'expected only with kind "incremental"',
  });
export type BackupRequest = z.infer<typeof backupRequest>;

const NOT_OF_DEAD_NODE = ['nodes', 'datacenter', 'keyspaces', 'sourceCluster', 'sourceVault', 'as'] as const;

/** Letters, digits and "_", as Cassandra has them in names of keyspaces and tables. */
const cassandraName = z.string().regex(/^\w{1,48}$/, 'a name of at most 48 letters, digits and "_"');

/** A keyspace, or a table as `keyspace.table` → its other name. */
export const otherNames = z
  .record(z.string().regex(/^\w+(?:\.\w+)?$/, 'a keyspace or keyspace.table'), cassandraName)
  .refine((names) => Object.keys(names).length > 0, 'expected a name at least');

/** The cluster's ID once more: without it nothing is replaced or deleted. */
const confirmCluster = clusterId.optional();

export const restoreRequest = z.union([
  z
    .strictObject({
      operation: z.literal('restore').default('restore'),
      clusterId,
      backupId: z.union([z.literal('latest'), backupId]).default('latest'),
      /** Whose backup it is; the cluster's own without it. Another's is restored to nodes with the same tokens. */
      sourceCluster: clusterId.optional(),
      /** A name of `vaults`: where that backup lies, if not in the deployment's own vault. */
      sourceVault: vaultName.optional(),
      /** True: checks everything, changes nothing, returns the plan. */
      dryRun: z.boolean().default(false),
      /** The run ends once every host has the data, verified, before anything is changed. The next restore of the same goes on with it. */
      stopAfterStep: z.enum(['download']).optional(),
      /** Keyspaces that are created again are replicated in the datacenters alone that the backup has nodes of. */
      onlyBackedUpDatacenters: z.boolean().default(false),
      /** True: of an incremental backup its base alone. */
      snapshotOnly: z.boolean().default(false),
      /** What of the backup is restored. */
      ...selectionFields,
      /**
       * True: chosen tables are brought back beside what they have, while Cassandra serves: by import, or to other nodes or names by
       * Cassandra's bulk loader.
       */
      online: z.boolean().default(false),
      /**
       * Of an online restore: keyspaces, and tables as `keyspace.table`, that are brought back under another name, which nothing has
       * yet; tables in their own keyspace. Where `keyspaces` includes none, these are what is restored.
       */
      as: otherNames.optional(),
      /** True: some nodes alone are restored, though others may have forgotten deletions since the backup. */
      ignoreGcGrace: z.boolean().default(false),
      /** One node is brought back on another host, with its tokens: its own is gone. */
      deadNode: z
        .strictObject({
          /** Its host ID, or the instance that it was backed up on. */
          node: z.union([instanceId, hostId], 'an instance ID or a host ID'),
          /** The new host, where Cassandra was not started yet. */
          newInstanceId: instanceId,
          /**
           * False: it keeps its host ID. True: it takes the place of the dead one under a new host ID; also where other members of the ring
           * have changed since the backup, or tables have counters.
           */
          newHostId: z.boolean().default(false),
        })
        .optional(),
      /** True: some nodes alone, with tables of counters, of which increments since the backup may be lost on all replicas. */
      ignoreCounters: z.boolean().default(false),
      /** Whether the restored nodes are repaired at the end; by default where a dead node was brought back. */
      repair: z.boolean().optional(),
      confirmCluster,
      requestedBy,
    })
    .refine(
      ({ deadNode, ...other }) =>
        !deadNode ||
        !(
          NOT_OF_DEAD_NODE.some((field) => other[field] !== undefined) ||
          other.online ||
          other.onlyBackedUpDatacenters
        ),
      {
        path: ['deadNode'],
        message: `expected none of ${NOT_OF_DEAD_NODE.join(', ')}, online and onlyBackedUpDatacenters with it: it gets all that it had`,
      },
    )
    .refine(({ dryRun, stopAfterStep }) => !dryRun || !stopAfterStep, {
      path: ['stopAfterStep'],
      message: 'expected none with dryRun, which ends before any step',
    })
    .refine(({ online, repair }) => !online || !repair, {
      path: ['repair'],
      message: 'expected none with online: every replica takes the rows in',
    })
    .refine(({ online, keyspaces, as }) => !online || (keyspaces?.include ?? as) !== undefined, {
      path: ['online'],
      message: 'expected only with keyspaces.include or as: tables are brought back online by name',
    })
    .refine(({ online, as }) => online || as === undefined, {
      path: ['as'],
      message: 'expected only with online',
    }),
  z.strictObject({
    /** undo: puts back the data from before a restore, and keeps what it replaces. release: deletes what either kept. */
    operation: z.enum(['undo', 'release']),
    clusterId,
    restoreRunId: z.union([z.literal('latest'), runId]).default('latest'),
    /** True: plan, return the plan, change nothing. */
    dryRun: z.boolean().default(false),
    /** As for a restore: what an undo puts back may be as old. */
    ignoreGcGrace: z.boolean().default(false),
    ignoreCounters: z.boolean().default(false),
    confirmCluster,
    requestedBy,
  }),
]);
export type RestoreRequest = z.infer<typeof restoreRequest>;

/** What of the backup is restored: where nothing else is said, what gets another name. */
export function selectionWithNames(
  request: Selection & { as?: Readonly<Record<string, string>> | undefined },
): Selection {
  const chosen = selectionOf(request);
  if (!request.as || chosen.keyspaces?.include) return chosen;
  return { ...chosen, keyspaces: { ...chosen.keyspaces, include: Object.keys(request.as) } };
}

export const registerRequest = z
  .strictObject({
    /** unregister: forgets what the cluster is, and none of its backups. */
    operation: z.enum(['register', 'unregister']).default('register'),
    clusterId,
    /** Whose view of the ring says who belongs to the cluster: one of the instances with its tag. */
    seedInstanceId: instanceId.optional(),
    requestedBy,
  })
  .refine((request) => request.operation === 'register' || request.seedInstanceId === undefined, {
    path: ['seedInstanceId'],
    message: 'expected none to unregister',
  });
export type RegisterRequest = z.infer<typeof registerRequest>;

/** Who asked for a run, as people may be shown it: one line, no control characters. */
export function whoAsked(request: Record<string, unknown>): string | undefined {
  const asked = requestedBy.safeParse(request['requestedBy']);
  return asked.data?.replaceAll(/\p{C}+/gu, ' ');
}

/** From the rule on execution status, from a failed run, or from the sweep. */
export const recoverRequest = z.strictObject({ executionArn });
