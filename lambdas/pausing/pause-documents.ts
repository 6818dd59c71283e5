// The document of a run's pause, and what the steps around it read of it.
import { deployedConfiguration } from '../../contracts/configuration.ts';
import { InvalidConfiguration } from '../../contracts/errors.ts';
import { application, type PauseDocument, pauseDocument } from '../../contracts/pause.ts';
import { findDocument, readDocument, serialize } from '../vault/documents.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout'>;

export function findPause(
  ports: Ports,
  clusterId: string,
  runId: string,
): Promise<PauseDocument | undefined> {
  return findDocument(ports, ports.layout.pause(clusterId, runId), pauseDocument);
}

export async function writePause({ vault, layout }: Ports, pause: PauseDocument): Promise<void> {
  await vault.put(
    layout.pause(pause.clusterId, pause.runId),
    serialize(pauseDocument.parse(pause)),
    'overwrite',
  );
}

/** Of the configuration that the pause was made by. @throws InvalidConfiguration where it has none */
export async function readHook(ports: Ports, configurationKey: string) {
  const { clusterId, cluster } = await readDocument(ports, configurationKey, deployedConfiguration);
  if (cluster.pause) return cluster.pause;
  throw new InvalidConfiguration(`cluster "${clusterId}": got no \`pause\`, expected it in ringvault.yaml`);
}

/** Addresses alone, of applications of whom more is known. */
export function addressesOf(applications: PauseDocument['applications']) {
  return applications.map((each) => application.strip().parse(each));
}

/** `orders-1.internal:7070 (10.0.0.1)`, for messages. */
export function nameOf({ name, address }: { name: string; address: string }): string {
  return `${name} (${address})`;
}

/** All that it names are paused still, as far as we have not resumed them. */
export function stands({ state, applications }: PauseDocument): boolean {
  return state === 'paused' && applications.every(({ resumedAt }) => !resumedAt);
}

/** `Unpause` says nothing of whose pause it ends: it must not be another run's, which has the cluster by now. */
export async function isSuperseded(
  { clusterId, runId }: PauseDocument,
  ports: Pick<StepPorts, 'vault' | 'layout' | 'catalog'>,
): Promise<boolean> {
  const lock = await ports.catalog.readLock(clusterId);
  if (!lock || lock.runId === runId || lock.subjectRunId === runId) return false;
  const theirs = await findPause(ports, clusterId, lock.subjectRunId);
  return theirs?.state === 'paused';
}
