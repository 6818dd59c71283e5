// The items of the catalog's one table (keys `pk`, `sk`):
//   cluster#<clusterId>  lock                    who holds the cluster; stays, with its fence, when it is given back
//   cluster#<clusterId>  run#<runId>             a run without its nodes; run IDs sort by start
//   cluster#<clusterId>  schedule#<kind>#<time>  which run a scheduled time started; expires
//   run#<runId>          node#<instanceId>       what became of one node in a run
//   execution#<arn>      execution               which run an execution is
import { instanceId } from '../contracts/identifiers.ts';
import type { NodeOutcome, RunRecord } from '../contracts/runs.ts';
import type { Catalog, NodeItem, RunFilter } from './ports.ts';

export interface Key {
  pk: string;
  sk: string;
}

export const keys = {
  lock: (clusterId: string): Key => ({ pk: `cluster#${clusterId}`, sk: 'lock' }),
  run: (clusterId: string, runId: string): Key => ({ pk: `cluster#${clusterId}`, sk: `run#${runId}` }),
  runs: (clusterId: string) => ({ pk: `cluster#${clusterId}`, prefix: 'run#' }),
  schedule: (clusterId: string, kind: string, scheduledTime: string): Key => ({
    pk: `cluster#${clusterId}`,
    sk: `schedule#${kind}#${scheduledTime}`,
  }),
  node: (runId: string, instanceId: string): Key => ({ pk: `run#${runId}`, sk: `node#${instanceId}` }),
  nodes: (runId: string) => ({ pk: `run#${runId}`, prefix: 'node#' }),
  execution: (executionArn: string): Key => ({ pk: `execution#${executionArn}`, sk: 'execution' }),
};

/** Longer than EventBridge Scheduler may deliver a time again. Source: its "maximum age of event", at most 24 hours. */
export const SCHEDULE_KEPT_SECONDS = 7 * 86_400;

/** A run's item leaves its nodes out: an item holds at most 400 KB. */
export function withoutNodes(record: RunRecord): RunRecord {
  return { ...record, nodes: [] };
}

/** What `listRuns` answers, of a cluster's runs as their items tell of them. */
export async function chosenRuns(
  newestFirst: AsyncIterable<RunRecord> | Iterable<RunRecord>,
  catalog: Pick<Catalog, 'readNode' | 'listNodes'>,
  { workflow, status, backupId, node: named, limit = Number.POSITIVE_INFINITY }: RunFilter,
): Promise<RunRecord[]> {
  const found: RunRecord[] = [];
  for await (const run of newestFirst) {
    if ((workflow && run.workflow !== workflow) || (status && run.status !== status)) continue;
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
