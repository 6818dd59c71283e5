// What people should know of a run that Recover ends: which data is live, and what is left on hosts.
import { actionIdOf, snapshotTagsOf } from '../../contracts/identifiers.ts';
import type { RestorePlan } from '../../contracts/plans.ts';
import type { StepInput } from '../../contracts/steps.ts';
import { readHosts } from '../vault/documents.ts';
import { findResult } from '../vault/results.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { findSubjectPlan } from './subject-plan.ts';

/** Which data a cluster serves after a restore or an undo that did not come to its own end. */
export function servedData(
  { clusterId, operation, online, load, restoreRunId, deadNode, nodes }: RestorePlan,
  restored: boolean,
): string {
  if (load)
    return 'The cluster served throughout. What was made and streamed before the end, if anything, stays, and is not whole: start the same restore again, which goes on with the same tables, or drop those that were made for it';
  if (online)
    return 'The cluster served throughout. What of the tables was taken in before the end, if anything, stays beside what they had; start the restore again for the rest';
  const hosts = nodes.map(({ instanceId }) => instanceId).join(', ');
  if (deadNode) {
    return restored
      ? `The node serves on ${hosts}, and was perhaps not repaired: nodetool repair -full on it`
      : `${hosts} has no node: do not start Cassandra on it, which would join the ring as another one. Start the restore again`;
  }
  if (restored)
    return `The cluster serves the restored data; undo is possible: ringvault undo ${clusterId} ${restoreRunId}`;
  return `The cluster serves the data from before ${operation === 'undo' ? `restore ${restoreRunId}` : 'the restore'}`;
}

export const UNTOUCHED = 'Nothing was changed: the cluster serves the data that it served before';

/** Hosts that were not reached, or whose node could not clear the run's snapshots. */
export async function leftOnHosts(
  { run, subject, hostsKey, unreachable }: StepInput<'PlanRecovery'>,
  ports: StepPorts,
): Promise<string[]> {
  const subjectPlan = await findSubjectPlan(ports, run.clusterId, subject.runId);
  const tags = snapshotTagsOf(subject.runId).join(', ');
  // An incremental has none; what it collected stays for the next one.
  const hasSnapshots = subjectPlan?.workflow === 'backup' && subjectPlan.kind !== 'incremental';
  const left = hasSnapshots ? `: its snapshots may be left there (${tags})` : '';
  const warnings = unreachable.map(
    (instanceId) => `${instanceId} was not online when the run was ended${left}`,
  );
  const actionId = actionIdOf(run.runId, 'end-run');
  for (const { instanceId, instanceArn } of await readHosts(ports, hostsKey)) {
    const ended = await findResult(ports, 'end-run', { instanceArn, actionId });
    if (!ended) warnings.push(`${instanceId} did not answer when the run was ended${left}`);
    else if (left && ended.cassandra === 'down' && ended.cleared.length === 0)
      warnings.push(`the node of ${instanceId} was down when the run was ended${left}`);
  }
  return warnings;
}
