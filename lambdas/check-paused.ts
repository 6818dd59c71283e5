// CheckPaused: after the snapshots, whether every application stood still until now, and none came up meanwhile.
import { ApplicationsUnknown, PauseBroken, PauseExceeded } from '../contracts/errors.ts';
import { type ApplicationAnswer, type PauseDocument, sameApplication } from '../contracts/pause.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { addressesOf, findPause, nameOf, readHook, stands, writePause } from './pausing/pause-documents.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws PauseBroken PauseExceeded ApplicationsUnknown RunEnded */
export async function checkPaused(
  { run }: StepInput<'CheckPaused'>,
  ports: StepPorts,
): Promise<StepOutput<'CheckPaused'>> {
  await requireLock(ports, run);
  const pause = await findPause(ports, run.clusterId, run.runId);
  if (!pause || !stands(pause)) {
    throw new PauseBroken('got applications that were resumed before the snapshots were done');
  }
  const checkedAt = ports.clock.now().toISOString();
  if (checkedAt > pause.deadline) {
    throw new PauseExceeded(`got the snapshots done at ${checkedAt}, expected them until ${pause.deadline}`);
  }
  const hook = await readHook(ports, pause.configurationKey);
  const applications = addressesOf(pause.applications);
  const [{ found }, { answers }] = await Promise.all([
    ports.applications.ask(run.clusterId, { call: 'discover', hook }),
    ports.applications.ask(run.clusterId, { call: 'check', hook, applications }),
  ]);
  if (found.length === 0)
    throw new ApplicationsUnknown('got nobody any more, expected those that were paused');
  const joined = found.filter((each) => !pause.applications.some((known) => sameApplication(known, each)));
  refuse(answers, joined.map(nameOf));
  await writePause(ports, withConfirmed({ ...pause, checkedAt }, answers));
  const unsaid = answers.filter(({ answer }) => answer === 'unsupported');
  return {
    confirmed: answers.length - unsaid.length,
    warnings: unsaid.map(
      ({ application }) =>
        `${nameOf(application)} cannot say whether it was paused all the time: it has no CheckPaused`,
    ),
  };
}

function refuse(answers: readonly ApplicationAnswer[], joined: readonly string[]): void {
  const broken = [
    ...answers
      .filter(({ answer }) => answer !== 'paused' && answer !== 'unsupported')
      .map(({ application, answer }) => `${nameOf(application)} ${answer}`),
    ...joined.map((name) => `${name} came up`),
  ];
  if (broken.length === 0) return;
  throw new PauseBroken(`got after the snapshots: ${broken.join('; ')}; expected all to be paused`);
}

function withConfirmed(pause: PauseDocument, answers: readonly ApplicationAnswer[]): PauseDocument {
  const confirmed = (each: PauseDocument['applications'][number]) =>
    answers.some(({ application, answer }) => answer === 'paused' && sameApplication(application, each));
  return {
    ...pause,
    applications: pause.applications.map((each) => ({ ...each, confirmed: confirmed(each) })),
  };
}

export const handler = defineStep('CheckPaused', checkPaused);
