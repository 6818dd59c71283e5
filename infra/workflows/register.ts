// The Register workflow (register, unregister): its last statement is the procedure of a registration.
import type { IChainable, IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { BEFORE_CLAIM, claim } from './claim.ts';
import { ANSWER, jsonata } from './expressions.ts';
import { addWarning, TOLD, type WorkflowParts, WorkflowStates } from './states.ts';

const run = jsonata('$run');
const warnings = jsonata('$warnings');

/** @param recover ends runs that failed, and runs that nobody executes any more */
export function registerWorkflow(scope: Construct, parts: WorkflowParts, recover: IStateMachine): IChainable {
  const states = new WorkflowStates(scope, parts);
  const { failed, unreleased } = states.failRun(recover);
  states.failuresLeadTo(failed);

  const discoverHosts = states.step(
    'DiscoverHosts',
    { run, tolerateUnreachable: false },
    { assign: { hostsKey: jsonata(`${ANSWER}.hostsKey`) } },
  );
  const prepareEachHost = states.onEach('PrepareEachHost', 'prepare', { list: 'hostsKey' });
  const describeEachHost = states.onEach('DescribeEachHost', 'describe', { list: 'hostsKey' });
  const registerCluster = states.step('RegisterCluster', {
    ...{ run, request: jsonata('$request'), hostsKey: jsonata('$hostsKey') },
  });
  const recordRun = states.step('RecordRun', { run, status: 'COMPLETED', warnings });
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
  const unregisterCluster = states.step('UnregisterCluster', { run });
  unregisterCluster.next(recordRun);

  return states
    .begin(BEFORE_CLAIM)
    .next(claim(scope, states, 'register', recover))
    .next(states.fork('Operation', { "$request.operation = 'unregister'": unregisterCluster }))
    .next(discoverHosts)
    .next(prepareEachHost)
    .next(describeEachHost)
    .next(registerCluster)
    .next(recordRun)
    .next(notifyRun)
    .next(releaseRun);
}
