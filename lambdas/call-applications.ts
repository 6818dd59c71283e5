// CallApplications: calls a cluster's applications for the steps around a pause: by gRPC from inside their VPC, or by the program on
// their hosts. One function for each cluster that has them; it may do nothing else.
import { askApplications } from '../adapters/applications-grpc.ts';
import { InvalidConfiguration } from '../contracts/errors.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { callProgram } from './pausing/call-program.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws ApplicationsUnknown */
export async function callApplications(
  request: StepInput<'CallApplications'>,
  ports: Pick<StepPorts, 'clock' | 'hosts'>,
): Promise<StepOutput<'CallApplications'>> {
  const { grpc, command } = request.hook;
  if (grpc) return askApplications(request, grpc, ports.clock);
  if (command) return callProgram(request, command, ports);
  throw new InvalidConfiguration('got a pause hook without `grpc` and `command`, expected one of them');
}

export const handler = defineStep('CallApplications', callApplications);
