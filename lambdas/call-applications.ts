// CallApplications: in the VPC of a cluster's applications, calls them for the steps outside it. It may do nothing else.
import { askApplications } from '../adapters/applications-grpc.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws ApplicationsUnknown */
export function callApplications(
  request: StepInput<'CallApplications'>,
  { clock }: Pick<StepPorts, 'clock'>,
): Promise<StepOutput<'CallApplications'>> {
  return askApplications(request, clock);
}

export const handler = defineStep('CallApplications', callApplications);
