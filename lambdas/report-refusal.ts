// ReportRefusal: a start was refused, so there is no run; people are told, and the cause goes up to the Fail state.
import { UNKNOWN_CLUSTER } from '../contracts/identifiers.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { inOneLine, tellCaught } from './reporting/caught.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

export async function reportRefusal(
  { workflow, request, execution, error }: StepInput<'ReportRefusal'>,
  ports: StepPorts,
): Promise<StepOutput<'ReportRefusal'>> {
  const told = tellCaught(error);
  const asked = (request as { clusterId?: unknown } | null)?.clusterId;
  // No subscription's filter has an ID that is not deployed.
  const clusterId =
    typeof asked === 'string' && Object.hasOwn(ports.clusters, asked) ? asked : UNKNOWN_CLUSTER;
  const text = [
    `A ${workflow} of cluster "${clusterId}" was refused before it began; nothing was changed.`,
    `${told.errorName}: ${told.message}`,
    `What to do now:\n  ${told.hint}`,
    `Asked for: ${JSON.stringify(request)?.slice(0, 2_000)}\nExecution: ${execution.arn}`,
  ].join('\n\n');
  try {
    await ports.notifier.publish({
      subject: `[ringvault] ${clusterId}: ${workflow} REFUSED ${told.errorName}`,
      text: `${text}\n`,
      attributes: { clusterId, workflow, status: 'REFUSED' },
    });
  } catch (failed) {
    // The execution's own error is what matters.
    ports.log.error({ errorName: told.errorName, err: failed }, `refusal not told: ${inOneLine(told)}`);
  }
  return told;
}

export const handler = defineStep('ReportRefusal', reportRefusal);
