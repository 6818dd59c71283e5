// One attempt of a Task, as its integrations see it.
import { limitedJson } from '../failures.ts';
import type { Resource } from '../resources.ts';
import type { Visit } from '../strand.ts';
import type { OpenToken } from '../task-tokens.ts';

export interface Attempt {
  readonly visit: Visit;
  readonly resource: Resource;
  readonly arguments: Record<string, unknown>;
  /** The token that the attempt waits for, where its resource ends in waitForTaskToken. */
  readonly token?: OpenToken;
}

/** For tasks that go on after they were handed over: the answer to the hand-over. */
export function tellSubmitted(attempt: Attempt, answer: unknown): void {
  const { strand, name } = attempt.visit;
  strand.execution.history.add(strand, 'TaskSubmitted', {
    ...resourceDetails(attempt),
    output: limitedJson(answer, `the answer to state '${name}'`),
    outputDetails: { truncated: false },
  });
}

export function resourceDetails(attempt: Attempt): { resourceType: string; resource: string } {
  return { resourceType: attempt.resource.kind, resource: attempt.resource.resource };
}
