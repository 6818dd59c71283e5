// The items of the catalog's one table (keys `pk`, `sk`):
//   cluster#<clusterId>  lock                    who holds the cluster; stays, with its fence, when it is given back
//   cluster#<clusterId>  run#<runId>             a run without its nodes; run IDs sort by start
//   cluster#<clusterId>  schedule#<name>#<time>  which run a scheduled time started; expires
//   cluster#<clusterId>  registration            what the cluster is registered as, or that it was forgotten
//   cluster#<clusterId>  watch#<schedule>        up to when its times were looked at for missed runs
//   cluster#<clusterId>  node#<ID>#<runId>       that a node, by instance or host ID, was in a run
//   run#<runId>          node#<instanceId>       what became of one node in a run
//   execution#<arn>      execution               which run an execution is
import { compactTime, instanceId } from '../contracts/identifiers.ts';
import type { NodeOutcome, RunRecord } from '../contracts/runs.ts';
import type { Catalog, NodeItem, RunFilter } from './ports.ts';

export interface Key {
  pk: string;
  sk: string;
}

export const keys = {
  lock: (clusterId: string): Key => ({ pk: `cluster#${clusterId}`, sk: 'lock' }),
  registration: (clusterId: string): Key => ({ pk: `cluster#${clusterId}`, sk: 'registration' }),
  run: (clusterId: string, runId: string): Key => ({ pk: `cluster#${clusterId}`, sk: `run#${runId}` }),
  runs: (clusterId: string, since?: string) => ({
    ...{ pk: `cluster#${clusterId}`, prefix: 'run#' },
    ...(since && { from: `run#${compactTime(since)}` }),
  }),
  schedule: (clusterId: string, schedule: string, scheduledTime: string): Key => ({
    pk: `cluster#${clusterId}`,
    // EventBridge writes times without milliseconds, we with them.
    sk: `schedule#${schedule}#${new Date(scheduledTime).toISOString()}`,
  }),
  schedules: (clusterId: string, schedule: string) => ({
    ...{ pk: `cluster#${clusterId}`, prefix: `schedule#${schedule}#` },
  }),
  watch: (clusterId: string, schedule: string): Key => ({
    ...{ pk: `cluster#${clusterId}`, sk: `watch#${schedule}` },
  }),
  nodeRun: (clusterId: string, node: string, runId: string): Key => ({
    ...{ pk: `cluster#${clusterId}`, sk: `node#${node}#${runId}` },
  }),
  nodeRuns: (clusterId: string, node: string) => ({
    ...{ pk: `cluster#${clusterId}`, prefix: `node#${node}#` },
  }),
  node: (runId: string, instanceId: string): Key => ({ pk: `run#${runId}`, sk: `node#${instanceId}` }),
  nodes: (runId: string) => ({ pk: `run#${runId}`, prefix: 'node#' }),
  execution: (executionArn: string): Key => ({ pk: `execution#${executionArn}`, sk: 'execution' }),
};

/**
 * Longer than EventBridge Scheduler may deliver a time again (its "maximum age of event" is at most 24 hours), and than the
 * longest rate whose missed runs are found.
 */
export const SCHEDULE_KEPT_SECONDS = 40 * 86_400;

/** A run's item leaves its nodes out: an item holds at most 400 KB. */
export function withoutNodes(record: RunRecord): RunRecord {
  return { ...record, nodes: [] };
}

/** What `listRuns` answers, of a cluster's runs as their items tell of them. */
export async function chosenRuns(
  newestFirst: AsyncIterable<RunRecord> | Iterable<RunRecord>,
  catalog: Pick<Catalog, 'readNode' | 'listNodes'>,
  { workflow, kind, status, backupId, node: named, since, limit = Number.POSITIVE_INFINITY }: RunFilter,
): Promise<RunRecord[]> {
  const found: RunRecord[] = [];
  for await (const run of newestFirst) {
    if (since && run.runId < compactTime(since)) break;
    if ((workflow && run.workflow !== workflow) || (status && run.status !== status)) continue;
    if (kind && run.kind !== kind) continue;
    if (backupId && !isAbout(run, backupId)) continue;
    const node = named === undefined ? undefined : await nodeOf(catalog, run, named);
    if (named !== undefined && !node) continue;
    if (found.push({ ...run, nodes: node ? [outcomeOf(node)] : [] }) >= limit) break;
  }
  return found;
}

/** A backup is named after its run, and has its ID only once it is sealed; a restore says before its end what it was asked for. */
function isAbout({ workflow, runId, backupId, request }: RunRecord, wanted: string): boolean {
  return backupId === wanted || (workflow === 'backup' && runId === wanted) || request['backupId'] === wanted;
}

async function nodeOf(
  { readNode, listNodes }: Pick<Catalog, 'readNode' | 'listNodes'>,
  { runId }: RunRecord,
  named: string,
): Promise<NodeItem | undefined> {
  if (instanceId.safeParse(named).success) return readNode(runId, named);
  return (await listNodes(runId)).find(({ hostId }) => hostId === named);
}

/** Without what only its run needs to know of a node. */
export function outcomeOf({ commandId, attempt, updatedAt, ...outcome }: NodeItem): NodeOutcome {
  return outcome;
}

const FINAL: readonly string[] = ['COMPLETED', 'FAILED', 'CANCELLED'];

export function isFinal(outcome: Pick<NodeOutcome, 'status'> | undefined): boolean {
  return outcome !== undefined && FINAL.includes(outcome.status);
}

/** Warnings of a run in the order they came up, none twice, and no more than an item can hold. */
export function mergedWarnings(known: readonly string[], more: readonly string[]): string[] {
  return [...new Set([...known, ...more.map((warning) => warning.slice(0, 1_000))])].slice(0, 100);
}
