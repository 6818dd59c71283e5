// The Backup workflow: its last statement is the procedure. docs/architecture.md shows it as a picture.
import type { IChainable, IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { BEFORE_CLAIM, claim } from './claim.ts';
import { ANSWER, jsonata } from './expressions.ts';
import { addWarning, TOLD, type WorkflowParts, WorkflowStates } from './states.ts';

const run = jsonata('$run');
const planKey = jsonata('$planKey');
const hostsKey = jsonata('$hostsKey');
const round = jsonata('$round');
const warnings = jsonata('$warnings');

/** @param recover ends runs that failed, and runs that nobody executes any more */
export function backupWorkflow(scope: Construct, parts: WorkflowParts, recover: IStateMachine): IChainable {
  const states = new WorkflowStates(scope, parts);
  const { failed, unreleased } = states.failRun(recover);
  states.failuresLeadTo(failed);

  const discoverHosts = states.step(
    'DiscoverHosts',
    { run, tolerateUnreachable: false },
    { assign: { hostsKey: jsonata(`${ANSWER}.hostsKey`) } },
  );
  const prepareEachHost = states.onEach('PrepareEachHost', 'prepare', { list: 'hostsKey' });
  const describeEachHost = states.onEach('DescribeEachHost', 'describe', {
    list: 'hostsKey',
    phase: jsonata("'describe-' & $round"),
  });
  const planBackup = states.step(
    'PlanBackup',
    { run, hostsKey, round },
    {
      assign: {
        planKey: jsonata(`${ANSWER}.planKey`),
        nodesKey: jsonata(`${ANSWER}.nodesKey`),
        nodeCount: jsonata(`${ANSWER}.nodeCount`),
      },
    },
  );
  const flushEachNode = states.onEach('FlushEachNode', 'flush', {
    list: 'nodesKey',
    phase: jsonata("'flush-' & $round"),
    planned: true,
  });
  const setRendezvous = states.step(
    'SetRendezvous',
    { run, nodeCount: jsonata('$nodeCount') },
    { assign: { at: jsonata(`${ANSWER}.at`) } },
  );
  const snapshotEachNode = states.onEach('SnapshotEachNode', 'snapshot', {
    list: 'nodesKey',
    phase: jsonata("'snapshot-' & $round"),
    planned: true,
    parameters: { at: jsonata('$at') },
  });
  const checkSnapshots = states.step(
    'CheckSnapshots',
    { run, planKey, round },
    {
      assign: {
        outcome: jsonata(`${ANSWER}.outcome`),
        spreadMs: jsonata(`${ANSWER}.outcome = 'consistent' ? ${ANSWER}.spreadMs : 0`),
      },
    },
  );
  const nextRound = states.let('NextRound', { round: jsonata('$round + 1') });
  nextRound.next(describeEachHost);
  const uploadEachNode = states.onEach('UploadEachNode', 'upload', { list: 'nodesKey', planned: true });
  const sealBackup = states.step('SealBackup', { run, planKey, spreadMs: jsonata('$spreadMs') });
  const recordRun = states.step('RecordRun', { run, planKey, status: 'COMPLETED', warnings });

  // Sealed and recorded: what fails from here on is a warning and hides no restorable backup.
  const releaseRun = states.step(
    'ReleaseRun',
    { run, warnings },
    { output: run, onFailure: unreleased, onFailureAssign: TOLD },
  );
  const notifyRun = states.step(
    'NotifyRun',
    { run, warnings },
    { onFailure: releaseRun, onFailureAssign: addWarning('Nobody was notified') },
  );
  const clearEachSnapshot = states.onEach('ClearEachSnapshot', 'clear-snapshot', {
    list: 'nodesKey',
    planned: true,
    tolerant: true,
    onFailure: notifyRun,
    onFailureAssign: addWarning('Snapshots were not cleared'),
  });

  return states
    .begin({ ...BEFORE_CLAIM, round: 1 })
    .next(claim(scope, states, 'backup', recover))
    .next(discoverHosts)
    .next(prepareEachHost)
    .next(describeEachHost)
    .next(planBackup)
    .next(flushEachNode)
    .next(setRendezvous)
    .next(snapshotEachNode)
    .next(checkSnapshots)
    .next(states.fork('SnapshotOutcome', { "$outcome = 'retake'": nextRound }))
    .next(uploadEachNode)
    .next(sealBackup)
    .next(recordRun)
    .next(clearEachSnapshot)
    .next(notifyRun)
    .next(releaseRun);
}
