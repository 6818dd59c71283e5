// The switch that resumes a run's applications if the run does not.
import type { PauseDocument } from '../../contracts/pause.ts';
import type { StepInput } from '../../contracts/steps.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

/** From the end of a pause to the switch: the workflow resumes at once, and the switch is precise to a minute. */
const SWITCH_AFTER_MS = 120_000;

/** One for each round: EventBridge Scheduler takes 64 characters. */
export function switchNameOf({ runId, round }: Pick<PauseDocument, 'runId' | 'round'>): string {
  return `${runId}-pause-${round}`;
}

/** For some minutes after a moment, unless it is set already. */
export function setSwitch(
  ports: Pick<StepPorts, 'pauseSwitch'>,
  pause: PauseDocument,
  after: Date,
): Promise<void> {
  const { clusterId, runId } = pause;
  return ports.pauseSwitch.set({
    name: switchNameOf(pause),
    at: nextMinute(after.getTime() + SWITCH_AFTER_MS),
    input: { clusterId, runId, last: true } satisfies Partial<StepInput<'ResumeApplications'>>,
  });
}

function nextMinute(time: number): Date {
  return new Date(Math.ceil(time / 60_000) * 60_000);
}
