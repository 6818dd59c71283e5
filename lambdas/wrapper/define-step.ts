// The one wrapper around every step: parses, wires, logs, names errors, checks what goes out.
import { describeIssues } from '../../contracts/documents.ts';
import { InvalidDocument, tellError } from '../../contracts/errors.ts';
import { MAX_PAYLOAD_BYTES } from '../../contracts/limits.ts';
import { type StepInput, type StepName, type StepOutput, steps } from '../../contracts/steps.ts';
import type { StepPorts } from './step-ports.ts';
import { portsFromEnvironment } from './wiring.ts';

export type Step<Name extends StepName> = (
  input: StepInput<Name>,
  ports: StepPorts,
) => Promise<StepOutput<Name>>;

/** The Lambda handler of a step. */
export function defineStep<Name extends StepName>(name: Name, step: Step<Name>) {
  let ports: StepPorts | undefined;
  return async (event: unknown): Promise<StepOutput<Name>> => {
    try {
      ports ??= portsFromEnvironment();
    } catch (error) {
      throw stepError(error);
    }
    return runStep(name, step, event, ports);
  };
}

/**
 * Runs a step by the contract of its name.
 * @throws Error as Lambda tells Step Functions: `name` becomes its `Error`; the message is the message and the hint
 */
export async function runStep<Name extends StepName>(
  name: Name,
  step: Step<Name>,
  event: unknown,
  ports: StepPorts,
): Promise<StepOutput<Name>> {
  const startedAt = ports.clock.now().getTime();
  const fields = () => ({
    ...subjectOf(event),
    step: name,
    durationMs: ports.clock.now().getTime() - startedAt,
  });
  try {
    const input = parse(name, 'input', event) as StepInput<Name>;
    const output = parse(name, 'output', await step(input, ports)) as StepOutput<Name>;
    ports.log.info(fields(), 'step done');
    return output;
  } catch (error) {
    const told = tellError(error);
    ports.log.error({ ...fields(), errorName: told.errorName, err: error }, 'step failed');
    throw stepError(error);
  }
}

function parse(name: StepName, side: 'input' | 'output', value: unknown): unknown {
  const parsed = steps[name][side].safeParse(value);
  if (!parsed.success) {
    throw new InvalidDocument(`${side} of ${name}: ${describeIssues(parsed.error)}`, { cause: parsed.error });
  }
  const bytes = Buffer.byteLength(JSON.stringify(parsed.data) ?? '');
  if (bytes > MAX_PAYLOAD_BYTES) {
    throw new InvalidDocument(
      `${side} of ${name}: got ${bytes} bytes, expected at most ${MAX_PAYLOAD_BYTES}`,
    );
  }
  return parsed.data;
}

function stepError(error: unknown): Error {
  const told = tellError(error);
  const named = new Error(`${told.message}\n${told.hint}`, { cause: error });
  named.name = told.errorName;
  return named;
}

/** What an event is about, for logs, whether or not it is valid. */
function subjectOf(event: unknown): Record<string, unknown> {
  const { run, host, action, phase, subject } = (event ?? {}) as Record<
    string,
    Record<string, unknown> | undefined
  >;
  return {
    run: run?.['runId'],
    clusterId: run?.['clusterId'],
    hostId: host?.['hostId'],
    instanceId: host?.['instanceId'],
    action,
    phase,
    subjectRunId: subject?.['runId'],
  };
}
