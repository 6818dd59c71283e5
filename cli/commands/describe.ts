// `ringvault describe <cluster>`: what the cluster was when it was last registered, or backed up since.
import { parseDocument } from '../../contracts/documents.ts';
import { InvalidDocument } from '../../contracts/errors.ts';
import { registration } from '../../contracts/registrations.ts';
import type { Answer } from '../answer.ts';
import type { Session } from '../deployment.ts';
import { requireRegistration } from '../lookup.ts';
import { registrationText } from '../render/topology.ts';

/** @throws UnknownCluster UnknownRegistration InvalidDocument */
export async function describe({ deployment }: Session, clusterId: string): Promise<Answer> {
  const { runId } = await requireRegistration(deployment, clusterId);
  const key = deployment.layout.registration(clusterId, runId);
  const stored = await deployment.store.get(key);
  const document = stored && parseDocument(registration, stored.body.toString(), key);
  if (document?.state !== 'registered') {
    throw new InvalidDocument(`${key}: got ${document?.state ?? 'nothing'}, expected a registration`);
  }
  return { document: { registration: document }, text: registrationText(document) };
}
