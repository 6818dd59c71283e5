// How workflows that people and schedules start take a cluster: what a claim may answer, and the end of a start that is refused.
import { Chain, type IStateMachine, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { AskedWorkflow } from '../../contracts/runs.ts';
import { ANSWER, EXECUTION, jsonata, REQUEST, toldFrom } from './expressions.ts';
import type { WorkflowStates } from './states.ts';

/** Variables that a claim wants to find. */
export const BEFORE_CLAIM = { recoveries: 0, warnings: [] };

const claimed = (field: string, otherwise: string) =>
  jsonata(`${ANSWER}.outcome = 'claimed' ? ${ANSWER}.${field} : ${otherwise}`);

/**
 * ClaimRun and what follows from its outcome; goes on with `$run`, `$request` and `$policy` once the run has the
 * cluster. A scheduled run waits for a cluster that is held, as long as its schedule says. A holder that nobody executes any more is brought to its end first, once.
 */
export function claim(
  scope: Construct,
  states: WorkflowStates,
  workflow: AskedWorkflow,
  recover: IStateMachine,
): Chain {
  const startRefused = states.fail('StartRefused');
  const reportRefusal = states.step(
    'ReportRefusal',
    { workflow, request: REQUEST, execution: EXECUTION, error: jsonata('$error') },
    {
      assign: { told: jsonata(ANSWER) },
      onFailure: startRefused,
      onFailureAssign: { told: toldFrom('$error') },
    },
  );
  reportRefusal.next(startRefused);

  const claimRun = states.step(
    'ClaimRun',
    { workflow, request: REQUEST, execution: EXECUTION },
    {
      assign: {
        outcome: jsonata(`${ANSWER}.outcome`),
        run: claimed('run', '{}'),
        request: claimed('request', '{}'),
        policy: claimed('policy', '{}'),
        waitSeconds: jsonata(`${ANSWER}.outcome = 'waiting' ? ${ANSWER}.seconds : 0`),
        staleExecutionArn: jsonata(`${ANSWER}.outcome = 'stale' ? ${ANSWER}.executionArn : ''`),
      },
      onFailure: reportRefusal,
    },
  );

  const stillStale = {
    error: {
      Error: 'StaleRun',
      Cause: jsonata(
        "'The cluster is held by ' & $staleExecutionArn & ', which is not executed any more and which Recover could not end'",
      ),
    },
  };
  const refuseStale = states.let('RefuseStaleRun', stillStale);
  refuseStale.next(reportRefusal);
  const recoverStaleRun = states.runToItsEnd(
    'RecoverStaleRun',
    recover,
    { executionArn: jsonata('$staleExecutionArn') },
    {
      assign: { recoveries: jsonata('$recoveries + 1') },
      onFailure: reportRefusal,
      onFailureAssign: stillStale,
    },
  );
  recoverStaleRun.next(claimRun);

  const waitForCluster = states.wait('WaitForCluster', jsonata('$waitSeconds'));
  waitForCluster.next(claimRun);

  const outcome = states.fork('ClaimOutcome', {
    "$outcome = 'waiting'": waitForCluster,
    "$outcome = 'already-run'": new Succeed(scope, 'AlreadyRun'),
    "$outcome = 'stale' and $recoveries > 0": refuseStale,
    "$outcome = 'stale'": recoverStaleRun,
  });
  claimRun.next(outcome);
  return Chain.custom(claimRun, outcome.endStates, outcome);
}
