// The Backup workflow: its last statement is the procedure. docs/architecture.md shows it as a picture.
import type { IChainable, IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { BEFORE_CLAIM, claim } from './claim.ts';
import { ANSWER, caught, jsonata, secondsLeft } from './expressions.ts';
import { notifyAndRelease } from './shared-parts.ts';
import { addWarning, type WorkflowParts, WorkflowStates } from './states.ts';

const run = jsonata('$run');
const planKey = jsonata('$planKey');
const hostsKey = jsonata('$hostsKey');
const round = jsonata('$round');
const warnings = jsonata('$warnings');
const CONSISTENT = "$kind = 'consistent'";
const NO_DEADLINE = jsonata("''");
/** Whose applications are resumed. */
const paused = { clusterId: jsonata('$run.clusterId'), runId: jsonata('$run.runId') };
/** A step that the end of the pause cut off failed by that. */
const ERROR_IN_PAUSE = {
  error: caught(
    `$states.errorOutput.Error = 'States.Timeout' and ${CONSISTENT} ? {'Error': 'PauseExceeded', 'Cause': 'got no snapshots of all nodes before the pause ended'} : $states.errorOutput`,
  ),
};

/** @param recover ends runs that failed, and runs that nobody executes any more */
export function backupWorkflow(scope: Construct, parts: WorkflowParts, recover: IStateMachine): IChainable {
  const states = new WorkflowStates(scope, parts);
  const { failed, unreleased } = states.failRun(recover);
  states.failuresLeadTo(failed);

  const discoverHosts = states.step(
    'DiscoverHosts',
    // Of a part of the cluster only those hosts must be there that it is of.
    { run, tolerateUnreachable: jsonata('$exists($request.nodes) or $exists($request.datacenter)') },
    {
      assign: {
        hostsKey: jsonata(`${ANSWER}.hostsKey`),
        unreachable: jsonata(`[${ANSWER}.unreachable]`),
      },
    },
  );
  const prepareEachHost = states.onEach('PrepareEachHost', 'prepare', { list: 'hostsKey' });
  const describeEachHost = states.onEach('DescribeEachHost', 'describe', {
    list: 'hostsKey',
    phase: jsonata("'describe-' & $round"),
  });
  const planBackup = states.step(
    'PlanBackup',
    { run, request: jsonata('$request'), hostsKey, unreachable: jsonata('$unreachable'), round },
    {
      assign: {
        planKey: jsonata(`${ANSWER}.planKey`),
        nodesKey: jsonata(`${ANSWER}.nodesKey`),
        nodeCount: jsonata(`${ANSWER}.nodeCount`),
        kind: jsonata(`${ANSWER}.kind`),
      },
    },
  );
  const flushEachNode = states.onEach('FlushEachNode', 'flush', {
    list: 'nodesKey',
    phase: jsonata("'flush-' & $round"),
    planned: true,
  });

  // From the first pause on every failure leads through resuming.
  const resumeAfterFailure = states.step('ResumeApplications', paused, {
    of: 'AfterFailure',
    onFailure: failed,
    onFailureAssign: {},
  });
  resumeAfterFailure.next(failed);
  const pausedAtFailure = states.fork('PausedAtFailure', { [CONSISTENT]: resumeAfterFailure });
  pausedAtFailure.next(failed);
  states.failuresLeadTo(pausedAtFailure);
  const inTime = { timeoutSeconds: jsonata(secondsLeft('$deadline')), onFailureAssign: ERROR_IN_PAUSE };
  const pauseApplications = states.step(
    'PauseApplications',
    { run, round },
    {
      assign: { deadline: jsonata(`${ANSWER}.deadline`) },
      timeoutSeconds: jsonata('$policy.maxPauseSeconds'),
      onFailureAssign: ERROR_IN_PAUSE,
    },
  );
  const setRendezvous = states.step(
    'SetRendezvous',
    { run, nodeCount: jsonata('$nodeCount'), notAfter: jsonata('$deadline') },
    { ...inTime, assign: { at: jsonata(`${ANSWER}.at`) } },
  );
  const snapshotEachNode = states.onEach('SnapshotEachNode', 'snapshot', {
    list: 'nodesKey',
    phase: jsonata("'snapshot-' & $round"),
    planned: true,
    parameters: { at: jsonata('$at'), notAfter: jsonata('$deadline') },
  });
  const checkPaused = states.step(
    'CheckPaused',
    { run },
    { ...inTime, assign: { warnings: jsonata(`[$warnings, ${ANSWER}.warnings]`) } },
  );
  states.failuresLeadTo(failed);
  const resumeApplications = states.step('ResumeApplications', paused, {
    assign: { warnings: jsonata(`[$warnings, ${ANSWER}.warnings]`) },
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
  const collectEachNode = states.onEach('CollectEachNode', 'collect-increments', {
    list: 'nodesKey',
    phase: jsonata("'collect-increments-' & $round"),
    planned: true,
  });
  const checkIncrements = states.step(
    'CheckIncrements',
    { run, planKey, round },
    {
      assign: {
        outcome: jsonata(`${ANSWER}.outcome`),
        kind: jsonata(`${ANSWER}.outcome = 'base-needed' ? 'snapshot' : $kind`),
        spreadMs: jsonata(`${ANSWER}.outcome = 'consistent' ? ${ANSWER}.spreadMs : 0`),
      },
    },
  );
  const nextRound = states.let('NextRound', { round: jsonata('$round + 1'), deadline: NO_DEADLINE });
  nextRound.next(describeEachHost);
  const uploadEachNode = states.onEach('UploadEachNode', 'upload', { list: 'nodesKey', planned: true });
  const sealBackup = states.step('SealBackup', { run, planKey, spreadMs: jsonata('$spreadMs') });
  const recordRun = states.step('RecordRun', { run, planKey, status: 'COMPLETED', warnings });

  // Sealed and recorded: what fails from here on is a warning and hides no restorable backup.
  const { notifyRun, releaseRun } = notifyAndRelease(states, unreleased);
  const clearEachSnapshot = states.onEach('ClearEachSnapshot', 'clear-snapshot', {
    list: 'nodesKey',
    planned: true,
    tolerant: true,
    onFailure: notifyRun,
    onFailureAssign: addWarning('Snapshots were not cleared'),
  });

  const clearedBefore = states.fork('RoundsBefore', { '$round > 1': clearEachSnapshot });
  clearedBefore.next(notifyRun);
  const releaseEachIncrement = states.onEach('ReleaseEachIncrement', 'release-increments', {
    list: 'nodesKey',
    planned: true,
    tolerant: true,
    onFailure: clearedBefore,
    onFailureAssign: addWarning('What was collected was not deleted'),
  });
  releaseEachIncrement.next(clearedBefore);

  pauseApplications.next(setRendezvous);
  checkPaused.next(resumeApplications);
  resumeApplications.next(checkSnapshots);

  const collect = collectEachNode.next(checkIncrements).next(
    states.fork('IncrementOutcome', {
      "$outcome = 'retake'": nextRound,
      "$outcome = 'base-needed'": setRendezvous,
    }),
  );
  collect.next(uploadEachNode);

  return states
    .begin({ ...BEFORE_CLAIM, round: 1, deadline: NO_DEADLINE })
    .next(claim(scope, states, 'backup', recover))
    .next(discoverHosts)
    .next(prepareEachHost)
    .next(describeEachHost)
    .next(planBackup)
    .next(flushEachNode)
    .next(states.fork('Kind', { [CONSISTENT]: pauseApplications, "$kind = 'incremental'": collect }))
    .next(setRendezvous)
    .next(snapshotEachNode)
    .next(states.fork('SnapshotsTaken', { [CONSISTENT]: checkPaused }))
    .next(checkSnapshots)
    .next(states.fork('SnapshotOutcome', { "$outcome = 'retake'": nextRound }))
    .next(uploadEachNode)
    .next(sealBackup)
    .next(recordRun)
    .next(states.fork('WhatToClear', { "$kind = 'incremental'": releaseEachIncrement }))
    .next(clearEachSnapshot)
    .next(notifyRun)
    .next(releaseRun);
}
