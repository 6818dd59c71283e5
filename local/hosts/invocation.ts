// One command on one host: made by the SSM service, carried out by the host's agent, read by whoever asks what became of it.
import type { DocumentContent } from './ssm-document.ts';

export type InvocationStatus =
  | 'Pending'
  | 'InProgress'
  | 'Success'
  | 'Failed'
  | 'TimedOut'
  | 'Cancelling'
  | 'Cancelled';

/** AWS keeps so many characters of a step's output. */
const STDOUT_LIMIT = 24_000;
const STDERR_LIMIT = 8_000;

export interface StepResult {
  name: string;
  action: string;
  status: InvocationStatus;
  statusDetails: string;
  /** -1 until the step has ended. */
  responseCode: number;
  stdout: string;
  stderr: string;
  startedAt?: Date;
  endedAt?: Date;
}

export interface Invocation {
  readonly commandId: string;
  readonly instanceId: string;
  readonly documentName: string;
  readonly content: DocumentContent;
  readonly parameters: ReadonlyMap<string, string>;
  readonly comment: string;
  readonly requestedAt: Date;
  /** A host that does not take it by then never gets it. */
  readonly deliverBy: Date;
  readonly cancellation: AbortController;
  status: InvocationStatus;
  /** Tells apart what a status hides: DeliveryTimedOut, ExecutionTimedOut. */
  statusDetails: string;
  steps: StepResult[];
}

export function pendingSteps(content: DocumentContent): StepResult[] {
  return content.mainSteps.map(({ name, action }) => ({
    name,
    action,
    status: 'Pending',
    statusDetails: 'Pending',
    responseCode: -1,
    stdout: '',
    stderr: '',
  }));
}

export function hasEnded({ status }: Pick<Invocation, 'status'>): boolean {
  return !['Pending', 'InProgress', 'Cancelling'].includes(status);
}

export function setStatus(
  target: Invocation | StepResult,
  status: InvocationStatus,
  details: string = status,
): void {
  target.status = status;
  target.statusDetails = details;
}

/** The worst that happened to a step is what happened to the command. */
export function statusOfSteps(steps: readonly StepResult[]): [InvocationStatus, string] {
  for (const status of ['Cancelled', 'TimedOut', 'Failed'] as const) {
    const found = steps.find((step) => step.status === status);
    if (found) return [status, found.statusDetails];
  }
  return ['Success', 'Success'];
}

export function capped(output: { stdout: string; stderr: string }): { stdout: string; stderr: string } {
  return { stdout: cap(output.stdout, STDOUT_LIMIT), stderr: cap(output.stderr, STDERR_LIMIT) };
}

function cap(text: string, limit: number): string {
  const mark = '\n---Output truncated---';
  return text.length <= limit ? text : text.slice(0, limit - mark.length) + mark;
}
