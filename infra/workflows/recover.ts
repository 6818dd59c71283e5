// The Recover workflow: brings a run that nobody executes any more to its end. Its last statement is the procedure.
import { type IChainable, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { ResumeFailed } from '../../contracts/errors.ts';
import { ANSWER, EXECUTION, jsonata, REQUEST } from './expressions.ts';
import { addWarning, TOLD, type WorkflowParts, WorkflowStates } from './states.ts';

const run = jsonata('$run');
const subject = jsonata('$subject');
const warnings = jsonata('$warnings');

const claimed = (field: string) => jsonata(`${ANSWER}.outcome = 'claimed' ? ${ANSWER}.${field} : {}`);

export function recoverWorkflow(scope: Construct, parts: WorkflowParts): IChainable {
  const states = new WorkflowStates(scope, parts);
  const { failed, unreleased } = states.failRecovery();
  states.failuresLeadTo(failed);

  const claimRecovery = states.step(
    'ClaimRecovery',
    { request: REQUEST, execution: EXECUTION },
    {
      assign: {
        outcome: jsonata(`${ANSWER}.outcome`),
        run: claimed('run'),
        subject: claimed('subject'),
        policy: claimed('policy'),
      },
      onFailure: states.fail('StartRefused'),
      onFailureAssign: TOLD,
    },
  );
  const nothingToRecover = new Succeed(scope, 'NothingToRecover');
  const discoverHosts = states.step(
    'DiscoverHosts',
    { run, tolerateUnreachable: true },
    {
      assign: {
        hostsKey: jsonata(`${ANSWER}.hostsKey`),
        hostCount: jsonata(`${ANSWER}.hostCount`),
        unreachable: jsonata(`[${ANSWER}.unreachable]`),
      },
    },
  );
  // Before anything else: they stand still. What keeps it from being done is told at the end, and keeps the lock.
  const resumeApplications = states.step(
    'ResumeApplications',
    { clusterId: jsonata('$run.clusterId'), runId: jsonata('$subject.runId'), tolerant: true },
    {
      assign: {
        resumed: jsonata(`${ANSWER}.outcome != 'not-resumed'`),
        warnings: jsonata(`[$warnings, ${ANSWER}.warnings]`),
      },
      onFailure: discoverHosts,
      onFailureAssign: { resumed: false, ...addWarning('Applications may still be paused') },
    },
  );
  const endRunOnEachHost = states.onEach('EndRunOnEachHost', 'end-run', {
    list: 'hostsKey',
    parameters: { endedRunId: jsonata('$subject.runId') },
    tolerant: true,
  });
  const planRecovery = states.step(
    'PlanRecovery',
    { run, subject, hostsKey: jsonata('$hostsKey'), unreachable: jsonata('$unreachable') },
    {
      assign: {
        planKey: jsonata(`${ANSWER}.planKey`),
        status: jsonata(`${ANSWER}.status`),
        direction: jsonata(`${ANSWER}.direction`),
        nodesKey: jsonata(`${ANSWER}.nodesKey`),
        seedsKey: jsonata(`${ANSWER}.seedsKey`),
        othersKey: jsonata(`${ANSWER}.othersKey`),
      },
    },
  );
  const settleEachNode = states.onEach('SettleEachNode', 'settle', {
    list: 'nodesKey',
    planned: true,
    parameters: { direction: jsonata('$direction') },
  });
  const startSeedNodes = states.onEach('StartSeedNodes', 'start', { list: 'seedsKey', planned: true });
  const startOtherNodes = states.onEach('StartOtherNodes', 'start', { list: 'othersKey', planned: true });
  const recordRun = states.step('RecordRun', {
    run,
    planKey: jsonata('$planKey'),
    status: jsonata("$resumed ? 'COMPLETED' : 'FAILED'"),
    recovered: { runId: jsonata('$subject.runId'), status: jsonata('$status') },
    warnings,
  });
  const releaseRun = states.step(
    'ReleaseRun',
    { run, warnings },
    { output: run, onFailure: unreleased, onFailureAssign: TOLD },
  );
  // The lock is kept: the sweep starts the next Recover, which tries again.
  const stillPaused = states.let('StillPaused', {
    told: {
      errorName: 'ResumeFailed',
      message: jsonata("$join($warnings, '; ')"),
      hint: ResumeFailed.traits.hint,
    },
  });
  stillPaused.next(unreleased);
  const applicationsResumed = states.fork('ApplicationsResumed', { '$not($resumed)': stillPaused });
  applicationsResumed.next(releaseRun);
  const notifyRun = states.step(
    'NotifyRun',
    { run, aboutRunId: jsonata('$subject.runId'), warnings },
    { onFailure: applicationsResumed, onFailureAssign: addWarning('Nobody was notified') },
  );
  const othersToStart = states.fork('OthersToStart', { "$othersKey = ''": recordRun });
  const seedsToStart = states.fork('SeedsToStart', { "$seedsKey = ''": othersToStart });

  return states
    .begin({ warnings: [], resumed: true })
    .next(claimRecovery)
    .next(states.fork('ClaimOutcome', { "$outcome = 'nothing-to-recover'": nothingToRecover }))
    .next(states.fork('ApplicationsToResume', { "$subject.workflow != 'backup'": discoverHosts }))
    .next(resumeApplications)
    .next(discoverHosts)
    .next(states.fork('HostsToEnd', { '$hostCount = 0': planRecovery }))
    .next(endRunOnEachHost)
    .next(planRecovery)
    .next(states.fork('SwapToSettle', { "$direction = 'none'": seedsToStart }))
    .next(settleEachNode)
    .next(seedsToStart)
    .next(startSeedNodes)
    .next(othersToStart)
    .next(startOtherNodes)
    .next(recordRun)
    .next(notifyRun)
    .next(applicationsResumed);
}
