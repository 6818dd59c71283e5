// Parts that are the same in several workflows.
import type { IChainable } from 'aws-cdk-lib/aws-stepfunctions';
import { ANSWER, jsonata } from './expressions.ts';
import { addWarning, TOLD, type WorkflowStates } from './states.ts';

const run = jsonata('$run');
const warnings = jsonata('$warnings');

/** All hosts of the cluster, each with the host program on it and asked what it is. */
export function describedHosts(states: WorkflowStates) {
  const discoverHosts = states.step(
    'DiscoverHosts',
    { run, tolerateUnreachable: false },
    { assign: { hostsKey: jsonata(`${ANSWER}.hostsKey`) } },
  );
  const prepareEachHost = states.onEach('PrepareEachHost', 'prepare', { list: 'hostsKey' });
  const describeEachHost = states.onEach('DescribeEachHost', 'describe', { list: 'hostsKey' });
  return { discoverHosts, prepareEachHost, describeEachHost };
}

/** People are told, then the cluster is released. @param unreleased where that fails */
export function notifyAndRelease(states: WorkflowStates, unreleased: IChainable) {
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
  return { notifyRun, releaseRun };
}
