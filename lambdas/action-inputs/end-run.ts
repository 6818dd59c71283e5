// What ends a run on a host: its snapshots' tags, and whose swap it worked on where it is a restore, undo or release.
import type { ActionInput } from '../../contracts/actions.ts';
import { snapshotTagsOf } from '../../contracts/identifiers.ts';
import { findSubjectPlan } from '../planning/subject-plan.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import type { ActionRequest } from './action-input.ts';
import { parameter } from './parameter.ts';

export async function endRunInput(
  { run, parameters }: ActionRequest,
  ports: Pick<StepPorts, 'vault' | 'layout'>,
): Promise<ActionInput<'end-run'>> {
  const endedRunId = parameter(parameters, 'endedRunId');
  const plan = await findSubjectPlan(ports, run.clusterId, endedRunId);
  return {
    endedRunId,
    tags: snapshotTagsOf(endedRunId),
    ...(plan?.workflow === 'restore' && { restoreRunId: plan.restoreRunId }),
  };
}
