// One look at a run: what Step Functions, the catalog and the hosts' progress objects say of it at this moment.
import type { ExecutionStatus } from '../adapters/ports.ts';
import { parseDocument } from '../contracts/documents.ts';
import { errorFrom, type RingvaultError } from '../contracts/errors.ts';
import { actionIdOf } from '../contracts/identifiers.ts';
import { type NodeOutcome, type Progress, progress, type RunRecord } from '../contracts/runs.ts';
import type { Deployment } from './deployment.ts';

/** Above it, hosts' progress objects are not read one by one: phases from the catalog have to do. */
export const NODES_SHOWN = 24;

export interface NodeView extends NodeOutcome {
  progress?: Progress;
}

export interface RunView {
  executionArn: string;
  /** Undefined: Step Functions has forgotten the execution. */
  execution: ExecutionStatus | undefined;
  /** Undefined: not claimed (yet, or refused). */
  run: RunRecord | undefined;
  nodes: NodeView[];
}

export async function viewRun(deployment: Deployment, executionArn: string): Promise<RunView> {
  const execution = await deployment.executions.status(executionArn);
  const known = await deployment.catalog.runOfExecution(executionArn);
  if (!known) return { executionArn, execution, run: undefined, nodes: [] };
  const [run, outcomes] = await Promise.all([
    deployment.catalog.readRun(known.clusterId, known.runId),
    deployment.catalog.listNodes(known.runId),
  ]);
  outcomes.sort((one, other) => one.instanceId.localeCompare(other.instanceId));
  const nodes = await Promise.all(
    outcomes.map(async (outcome, index): Promise<NodeView> => {
      const readProgress = outcome.status === 'STARTED' && index < NODES_SHOWN;
      if (!readProgress) return outcome;
      return { ...outcome, ...(await progressOf(deployment, executionArn, known.runId, outcome)) };
    }),
  );
  return { executionArn, execution, run, nodes };
}

async function progressOf(
  { store, layout }: Deployment,
  executionArn: string,
  runId: string,
  node: NodeOutcome,
): Promise<{ progress?: Progress }> {
  const key = layout.progress(
    instanceArnBeside(executionArn, node.instanceId),
    actionIdOf(runId, node.phase),
  );
  const stored = await store.get(key);
  return stored ? { progress: parseDocument(progress, stored.body.toString(), key) } : {};
}

/** A run's hosts are in the account and region of its execution: one stack serves one account and region. */
function instanceArnBeside(executionArn: string, instanceId: string): string {
  const [, partition, , region, account] = executionArn.split(':');
  return `arn:${partition}:ec2:${region}:${account}:instance/${instanceId}`;
}

/** Why a run did not come about: as recorded, else as its execution ended. */
export function errorOf({ run, execution }: RunView): RingvaultError | undefined {
  if (run?.status === 'COMPLETED' || run?.status === 'CANCELLED') return undefined;
  if (run?.error) return errorFrom(run.error);
  if (!execution?.error) return undefined;
  return executionError(execution.error, execution.cause ?? '');
}

/** `cause` is the message, a line feed, then the hint, which the class knows itself. */
function executionError(errorName: string, cause: string): RingvaultError {
  const error = errorFrom({ errorName, message: cause });
  return cause.endsWith(`\n${error.hint}`)
    ? errorFrom({ errorName, message: cause.slice(0, -error.hint.length - 1) })
    : error;
}
