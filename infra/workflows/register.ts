// The Register workflow (register, unregister): its last statement is the procedure of a registration.
import type { IChainable, IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { BEFORE_CLAIM, claim } from './claim.ts';
import { jsonata } from './expressions.ts';
import { describedHosts, notifyAndRelease } from './shared-parts.ts';
import { type WorkflowParts, WorkflowStates } from './states.ts';

const run = jsonata('$run');
const warnings = jsonata('$warnings');

/** @param recover ends runs that failed, and runs that nobody executes any more */
export function registerWorkflow(scope: Construct, parts: WorkflowParts, recover: IStateMachine): IChainable {
  const states = new WorkflowStates(scope, parts);
  const { failed, unreleased } = states.failRun(recover);
  states.failuresLeadTo(failed);

  const { discoverHosts, prepareEachHost, describeEachHost } = describedHosts(states);
  const registerCluster = states.step('RegisterCluster', {
    ...{ run, request: jsonata('$request'), hostsKey: jsonata('$hostsKey') },
  });
  const recordRun = states.step('RecordRun', { run, status: 'COMPLETED', warnings });
  const { notifyRun, releaseRun } = notifyAndRelease(states, unreleased);
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
