// How long the applications of a consistent backup stood still, for its manifest.
import { BackupIncomplete } from '../../contracts/errors.ts';
import type { BackupKind } from '../../contracts/identifiers.ts';
import type { MeasuredPause, PauseDocument } from '../../contracts/pause.ts';
import type { RunRef } from '../../contracts/runs.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { findPause } from './pause-documents.ts';

/** @throws BackupIncomplete where a consistent backup has no pause that was checked and is over */
export async function measuredPause(
  ports: Pick<StepPorts, 'vault' | 'layout'>,
  kind: BackupKind,
  { clusterId, runId }: Pick<RunRef, 'clusterId' | 'runId'>,
): Promise<MeasuredPause | undefined> {
  if (kind !== 'consistent') return undefined;
  const pause = await findPause(ports, clusterId, runId);
  if (!pause?.checkedAt || pause.state !== 'resumed') {
    const got = pause ? `${pause.state}, ${pause.checkedAt ? 'checked' : 'not checked'}` : 'none';
    throw new BackupIncomplete(`got a pause that is ${got}, expected one that was checked and is over`);
  }
  const { askedAt } = pause;
  return { askedAt, applications: pause.applications.map((each) => measured(each, askedAt)) };
}

function measured(
  { name, address, port, pausedAt, confirmed, resumedAt }: PauseDocument['applications'][number],
  askedAt: string,
): MeasuredPause['applications'][number] {
  if (!pausedAt || confirmed === undefined) {
    throw new BackupIncomplete(`got ${name} never paused or asked, expected both`);
  }
  const pausedMs = resumedAt && Math.max(0, Date.parse(resumedAt) - Date.parse(askedAt));
  return {
    ...{ name, address, port, pausedAt, confirmed },
    ...(resumedAt && { resumedAt, pausedMs: Number(pausedMs) }),
  };
}
