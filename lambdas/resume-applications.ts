// ResumeApplications: resumes those that a run paused, by its pause document, as often as it is asked. The run asks on every way
// out, Recover does before anything else, and the switch does where neither has.
import { ResumeFailed } from '../contracts/errors.ts';
import { type ApplicationAnswer, type PauseDocument, sameApplication } from '../contracts/pause.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { whoIsGone } from './pausing/gone-applications.ts';
import {
  addressesOf,
  findPause,
  isSuperseded,
  nameOf,
  readHook,
  writePause,
} from './pausing/pause-documents.ts';
import { switchNameOf } from './pausing/switch.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

type Output = StepOutput<'ResumeApplications'>;
type Paused = PauseDocument['applications'][number];

/** How often an application that cannot be resumed is asked again, at waits of 1, 2, 4 … seconds. */
const TRIES = 6;

/** @throws ResumeFailed, unless it is tolerated */
export async function resumeApplications(
  { clusterId, runId, tolerant, last }: StepInput<'ResumeApplications'>,
  ports: StepPorts,
): Promise<Output> {
  const pause = await findPause(ports, clusterId, runId);
  if (!pause) return { outcome: 'nothing-paused', warnings: [] };
  if (pause.state === 'resumed') {
    const warnings = warningsOf(await askedOnceMore(pause, last, ports));
    await clearUnlessInDoubt(pause, ports);
    return { outcome: 'nothing-paused', warnings };
  }
  if (await isSuperseded(pause, ports)) {
    ports.log.warn({ run: runId, clusterId }, 'a later run has paused the applications; they are left to it');
    return { outcome: 'superseded', warnings: [] };
  }
  const { left, ...resumed } = await resume(pause, ports);
  if (left.length > 0) {
    const message = notResumed(left);
    if (!tolerant) throw new ResumeFailed(message);
    return { outcome: 'not-resumed', warnings: [`${message}: they may still be paused`] };
  }
  await clearUnlessInDoubt(resumed.pause, ports);
  return { outcome: 'resumed', warnings: warningsOf(resumed.pause) };
}

/**
 * Who is gone is asked once more when the switch fires, whatever kept them from being reached may be over by then; and who may
 * have paused after it was resumed.
 */
async function clearUnlessInDoubt(pause: PauseDocument, ports: StepPorts): Promise<void> {
  if (!pause.applications.some(inDoubt)) await ports.pauseSwitch.clear(switchNameOf(pause));
}

function inDoubt({ gone, unsure }: Paused): boolean {
  return gone === true || unsure === true;
}

/** Keeps what came of each try. Who is gone is not left: nobody can resume it. */
async function resume(pause: PauseDocument, ports: StepPorts) {
  const hook = await readHook(ports, pause.configurationKey);
  let now = pause;
  let left: ApplicationAnswer[] = [];
  let reached = false;
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    if (attempt > 1) await ports.clock.sleep(2 ** (attempt - 2) * 1_000);
    const applications = addressesOf(now.applications.filter(({ resumedAt }) => !resumedAt));
    const { answers } = await ports.applications.ask(pause.clusterId, { call: 'resume', hook, applications });
    left = answers.filter(({ answer }) => answer !== 'done');
    reached ||= left.length < answers.length;
    now = withResumed(now, answers);
    if (left.length === 0) break;
    await writePause(ports, now);
  }
  const isGone = await whoIsGone(left, { clusterId: pause.clusterId, hook, reached }, ports);
  now = withGone(now, left.filter(isGone));
  left = left.filter((each) => !isGone(each));
  now = { ...now, state: left.length === 0 ? 'resumed' : 'paused' };
  await writePause(ports, now);
  return { pause: now, left };
}

/**
 * Who was gone may be back, or paused since. The run went on without them: what comes of it is told, and not kept.
 * @throws ResumeFailed where nobody asks after this, and one is there and is not resumed
 */
async function askedOnceMore(pause: PauseDocument, last: boolean, ports: StepPorts): Promise<PauseDocument> {
  const { clusterId, runId } = pause;
  const doubted = pause.applications.filter(inDoubt);
  if (doubted.length === 0) return pause;
  try {
    if (await isSuperseded(pause, ports)) return pause;
    const hook = await readHook(ports, pause.configurationKey);
    const applications = addressesOf(doubted);
    const { answers } = await ports.applications.ask(clusterId, { call: 'resume', hook, applications });
    ports.log.info({ run: runId, clusterId, answers }, 'applications in doubt were asked once more');
    const left = answers.filter(({ answer }) => !['done', 'unreachable', 'unsupported'].includes(answer));
    if (last && left.length > 0) throw new ResumeFailed(notResumed(left));
    return withResumed(pause, answers);
  } catch (error) {
    // Who called it by the switch tries again, and is watched by an alarm.
    if (last) throw error;
    ports.log.warn({ run: runId, clusterId, err: error }, 'applications in doubt could not be asked');
    return pause;
  }
}

function notResumed(left: readonly ApplicationAnswer[]): string {
  const told = left.map(({ application, answer }) => `${nameOf(application)} ${answer}`).join('; ');
  return `got from ${told}; expected all applications to be resumed`;
}

function withResumed(pause: PauseDocument, answers: readonly ApplicationAnswer[]): PauseDocument {
  const at = (each: Paused) =>
    answers.find(({ application, answer }) => answer === 'done' && sameApplication(application, each))
      ?.answeredAt;
  return mapped(pause, (each) => {
    const resumedAt = each.resumedAt ?? at(each);
    return { ...each, ...(resumedAt && { resumedAt }) };
  });
}

function withGone(pause: PauseDocument, gone: readonly ApplicationAnswer[]): PauseDocument {
  return mapped(pause, (each) =>
    gone.some(({ application }) => sameApplication(application, each)) ? { ...each, gone: true } : each,
  );
}

function mapped(pause: PauseDocument, change: (each: Paused) => Paused): PauseDocument {
  return { ...pause, applications: pause.applications.map(change) };
}

function warningsOf({ applications }: PauseDocument): string[] {
  return applications
    .filter(({ gone, resumedAt }) => gone && !resumedAt)
    .map((each) => `${nameOf(each)} could not be reached to be resumed: if it runs, it may still be paused`);
}

export const handler = defineStep('ResumeApplications', resumeApplications);
