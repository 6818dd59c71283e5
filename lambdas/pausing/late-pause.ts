// A pause that came about when it was over already: whoever gave it up may have resumed everybody before.
import { PauseExceeded, RunEnded } from '../../contracts/errors.ts';
import type { PauseDocument, PauseHook } from '../../contracts/pause.ts';
import type { RunRef } from '../../contracts/runs.ts';
import { requireLock } from '../locking/held-lock.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { addressesOf, findPause, isSuperseded, stands } from './pause-documents.ts';
import { setSwitch } from './switch.ts';

/** The step may have been given up, and the applications resumed, while it was still at it: nobody else would look again. */
export async function refuseIfOver(
  ports: StepPorts,
  run: RunRef,
  pause: PauseDocument,
  hook: PauseHook,
): Promise<void> {
  try {
    await requireLock(ports, run);
    const now = await findPause(ports, pause.clusterId, pause.runId);
    if (now && now.round === pause.round && stands(now)) return;
    throw new PauseExceeded(`got the pause of round ${pause.round} resumed meanwhile, expected it to last`);
  } catch (error) {
    // Of any other nobody knows whether it is over: the next try, or who resumes after a failure, goes by the document.
    if (error instanceof RunEnded || error instanceof PauseExceeded) await takeBack(ports, pause, hook);
    throw error;
  }
}

/**
 * Unless a later round, or a later run, has paused them by now: that is the one to resume them.
 * All are `unsure` in the document that whoever resumed has left: the switch, if it was cleared, asks them once more.
 */
async function takeBack(ports: StepPorts, pause: PauseDocument, hook: PauseHook): Promise<void> {
  const { clusterId, runId } = pause;
  const now = await findPause(ports, clusterId, runId);
  if (now && now.round > pause.round && stands(now)) return;
  if (await isSuperseded(pause, ports)) return;
  const applications = addressesOf(pause.applications);
  // Before anything that may fail.
  await setSwitch(ports, pause, ports.clock.now());
  const { answers } = await ports.applications.ask(clusterId, { call: 'resume', hook, applications });
  ports.log.warn({ run: runId, clusterId, answers }, 'paused after the end of the pause, and resumed again');
}
