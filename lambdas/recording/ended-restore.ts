// What the record of a restore, an undo or a release says at its end.
import type { ActionName, ActionOutput } from '../../contracts/actions.ts';
import { actionIdOf } from '../../contracts/identifiers.ts';
import { type RestorePlan, restorePlan } from '../../contracts/plans.ts';
import type { NodeOutcome, RunRecord } from '../../contracts/runs.ts';
import { scopeOf } from '../../contracts/selection.ts';
import { readDocument } from '../vault/documents.ts';
import { findResult } from '../vault/results.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { mergeWarnings } from './keep-record.ts';
import { withNodesLeftOut } from './left-out-nodes.ts';
import { withTimes } from './node-times.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout' | 'catalog'>;

/** The action whose answer says what became of a node. */
const DECISIVE = { restore: 'place', undo: 'put-back', release: 'release-old' } as const satisfies Record<
  RestorePlan['operation'],
  ActionName
>;

/** The last that a dry run asks of a node. */
const LOOKED = { restore: 'check-restore', undo: 'check-undo', release: 'describe' } as const;

export async function endedRestore(
  ports: Ports,
  base: RunRecord,
  planKey: string | undefined,
): Promise<RunRecord> {
  const key = planKey ?? ports.layout.plan(base.clusterId, base.runId);
  const plan = await readDocument(ports, key, restorePlan);
  const outcomes = await Promise.all(
    plan.nodes.map(async (host) => ({ host, outcome: await nodeOutcome(ports, plan, host) })),
  );
  const nodes = await withTimes(ports, base, outcomes);
  const sum = (field: 'files' | 'bytes' | 'uploadedBytes') =>
    nodes.reduce((total, node) => total + (node[field] ?? 0), 0);
  return {
    ...base,
    ...aboutOf(plan),
    ...(plan.operation === 'restore' && !plan.dryRun && { files: sum('files'), bytes: sum('bytes') }),
    warnings: mergeWarnings(base.warnings, plan.warnings),
    nodes: await withNodesLeftOut(ports, base, nodes),
  };
}

/** What a record says of its plan, whether it came to its end or not. */
export function aboutOf(plan: RestorePlan): Partial<RunRecord> {
  const { clusterId, sourceCluster, sourceVault, backupId, operation, selection, restoreRunId } = plan;
  const about = {
    backupId,
    ...(scopeOf(selection) === 'part' && { selection }),
    ...(sourceCluster !== clusterId && { sourceCluster }),
    ...(sourceVault && { sourceVault: sourceVault.name }),
  };
  if (operation !== 'restore') return { ...about, restoreRunId };
  return { ...about, ...(keepsOldData(plan) && { undo: 'possible' as const }) };
}

/** Of a restore that comes to place data. What is imported, or on a host that was empty, replaces nothing. */
export function keepsOldData({
  operation,
  dryRun,
  stopAfterDownload,
  online,
  deadNode,
}: RestorePlan): boolean {
  return operation === 'restore' && !dryRun && !stopAfterDownload && !online && !deadNode;
}

async function nodeOutcome(
  ports: Ports,
  plan: RestorePlan,
  { instanceId, instanceArn, hostId, bytes }: RestorePlan['nodes'][number],
): Promise<NodeOutcome> {
  const inTheEnd = plan.load ? 'load' : plan.online ? 'import' : DECISIVE[plan.operation];
  const decisive = plan.stopAfterDownload ? 'download' : inTheEnd;
  const completed = { instanceId, hostId, status: 'COMPLETED' } as const;
  if (plan.dryRun) {
    const isRestore = plan.operation === 'restore';
    return { ...completed, phase: LOOKED[plan.operation], ...(isRestore && { bytes }) };
  }
  const outcome: NodeOutcome = { ...completed, phase: decisive };
  if (decisive === 'put-back' || decisive === 'release-old') return outcome;
  const at = { instanceArn, actionId: actionIdOf(plan.runId, decisive) };
  const placed: ActionOutput<'place' | 'import' | 'load' | 'download'> | undefined = await findResult(
    ports,
    decisive,
    at,
  );
  return { ...outcome, ...(placed && { files: placed.files, bytes: placed.bytes }) };
}
