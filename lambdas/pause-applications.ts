// PauseApplications: finds the cluster's applications, writes down whom it is about to pause, then pauses them all at once.
// What is written first is what ResumeApplications goes by, on every way out.
import { FORMAT_VERSION } from '../contracts/documents.ts';
import { ApplicationsUnknown, PauseExceeded, PauseFailed, RunEnded } from '../contracts/errors.ts';
import {
  type Application,
  type ApplicationAnswer,
  type PauseDocument,
  type PauseHook,
  sameApplication,
} from '../contracts/pause.ts';
import type { RunRef } from '../contracts/runs.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { refuseIfOver } from './pausing/late-pause.ts';
import { addressesOf, findPause, nameOf, readHook, stands, writePause } from './pausing/pause-documents.ts';
import { setSwitch, switchNameOf } from './pausing/switch.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws ApplicationsUnknown PauseFailed PauseExceeded RunEnded */
export async function pauseApplications(
  { run, round }: StepInput<'PauseApplications'>,
  ports: StepPorts,
): Promise<StepOutput<'PauseApplications'>> {
  await requireLock(ports, run);
  const hook = await readHook(ports, run.configurationKey);
  const { pause, isFirstTry } = await begun(ports, run, round, hook);
  const answers = await asked(ports, run, pause, hook);
  await refuseIfOver(ports, run, pause, hook);
  await writePause(ports, withPaused(pause, answers, isFirstTry));
  const failed = answers.filter(({ answer }) => answer !== 'done');
  if (failed.length > 0) {
    const told = failed.map(
      ({ application, answer, message }) =>
        `${nameOf(application)} ${answer}${message ? `: ${message}` : ''}`,
    );
    throw new PauseFailed(`got from ${told.join('; ')}; expected all of ${answers.length} to pause`);
  }
  return { deadline: pause.deadline, applications: pause.applications.length };
}

/** Where no answers come, what was asked may be done all the same: all stay `unsure`. */
async function asked(
  ports: StepPorts,
  run: RunRef,
  pause: PauseDocument,
  hook: PauseHook,
): Promise<ApplicationAnswer[]> {
  const applications = addressesOf(pause.applications);
  try {
    return (await ports.applications.ask(pause.clusterId, { call: 'pause', hook, applications })).answers;
  } catch (error) {
    await refuseIfOver(ports, run, pause, hook);
    throw error;
  }
}

/** A retry finds the document of the try before and goes on by it: those that it names may be paused. */
async function begun(
  ports: StepPorts,
  run: RunRef,
  round: number,
  hook: PauseHook,
): Promise<{ pause: PauseDocument; isFirstTry: boolean }> {
  const { clusterId, runId, configurationKey } = run;
  const goOn = (known: PauseDocument) => {
    requirePaused(known, ports.clock.now());
    return { pause: known, isFirstTry: false };
  };
  const known = await findPause(ports, clusterId, runId);
  if (known?.round === round) return goOn(known);
  const found = await findAll(ports, clusterId, hook);
  // This try may have been given up meanwhile, and the next one be further.
  const now = await findPause(ports, clusterId, runId);
  if (now?.round === round) return goOn(now);
  const askedAt = ports.clock.now();
  const deadline = new Date(askedAt.getTime() + hook.maxSeconds * 1_000);
  const pause: PauseDocument = {
    formatVersion: FORMAT_VERSION,
    ...{ clusterId, runId, round, configurationKey, state: 'paused' },
    askedAt: askedAt.toISOString(),
    deadline: deadline.toISOString(),
    applications: found.map((each) => ({ ...each, unsure: true })),
  };
  await setSwitch(ports, pause, deadline);
  // Where somebody was gone it is set still, and goes by what is written next: it would end this pause.
  if (known) await ports.pauseSwitch.clear(switchNameOf(known));
  await writePause(ports, pause);
  await requireStillHeld(ports, run, pause);
  return { pause, isFirstTry: true };
}

/** Before anybody is paused. @throws ApplicationsUnknown PauseFailed */
async function findAll(ports: StepPorts, clusterId: string, hook: PauseHook): Promise<Application[]> {
  const { found, away } = await ports.applications.ask(clusterId, { call: 'discover', hook });
  if (found.length === 0)
    throw new ApplicationsUnknown('got nobody to pause, expected at least one application');
  if (away.length === 0) return found;
  throw new PauseFailed(
    `got ${away.map(nameOf).join('; ')} away, expected all of ${found.length} to be reachable; nobody was paused`,
  );
}

/**
 * The run may have been ended while the applications were looked for. Who ended it before the document was there found nobody
 * to resume; who does after it finds them.
 */
async function requireStillHeld(ports: StepPorts, run: RunRef, pause: PauseDocument): Promise<void> {
  try {
    await requireLock(ports, run);
  } catch (ended) {
    // Nobody was asked yet. Whether it has ended is not known of any other error: the document is for the next try then.
    if (ended instanceof RunEnded) {
      await writePause(ports, { ...pause, state: 'resumed' });
      await ports.pauseSwitch.clear(switchNameOf(pause));
    }
    throw ended;
  }
}

function requirePaused(pause: PauseDocument, now: Date): void {
  const { state, deadline } = pause;
  if (stands(pause) && now < new Date(deadline)) return;
  throw new PauseExceeded(
    `got ${now.toISOString()} and applications ${state}, some resumed, expected the pause before ${deadline}`,
  );
}

/** After these nothing is under way any more. */
const DEFINITE: readonly ApplicationAnswer['answer'][] = ['done', 'refused', 'unsupported'];

/** @param isFirstTry otherwise what an earlier one asked for may be under way still, whatever is answered now */
function withPaused(
  pause: PauseDocument,
  answers: readonly ApplicationAnswer[],
  isFirstTry: boolean,
): PauseDocument {
  return {
    ...pause,
    applications: pause.applications.map(({ unsure, ...each }) => {
      const { answer, answeredAt } =
        answers.find(({ application }) => sameApplication(application, each)) ?? {};
      const pausedAt = each.pausedAt ?? (answer === 'done' ? answeredAt : undefined);
      const isSure = isFirstTry && answer !== undefined && DEFINITE.includes(answer);
      return {
        ...each,
        ...(pausedAt && { pausedAt }),
        ...(unsure && !isSure && { unsure }),
      };
    }),
  };
}

export const handler = defineStep('PauseApplications', pauseApplications);
