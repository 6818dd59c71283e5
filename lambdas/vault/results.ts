// What hosts answered, read from the vault: token outputs do not travel through a workflow's data.
import pMap from 'p-map';
import { type ActionName, type ActionOutput, actions } from '../../contracts/actions.ts';
import { ActionLost } from '../../contracts/errors.ts';
import { actionIdOf } from '../../contracts/identifiers.ts';
import type { Host } from '../../contracts/plans.ts';
import { type RingView, ringView, type SchemaView, schemaView } from '../../contracts/ring.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { findDocument, readDocument } from './documents.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout'>;

/** Documents that a step reads at the same time. */
export const READS_AT_ONCE = 32;

export async function findResult<Name extends ActionName>(
  ports: Ports,
  action: Name,
  at: { instanceArn: string; actionId: string },
): Promise<ActionOutput<Name> | undefined> {
  const key = ports.layout.result(at.instanceArn, at.actionId);
  return (await findDocument(ports, key, actions[action].output)) as ActionOutput<Name> | undefined;
}

/** @throws ActionLost where the host wrote none */
export async function readResult<Name extends ActionName>(
  ports: Ports,
  action: Name,
  at: { instanceArn: string; actionId: string },
): Promise<ActionOutput<Name>> {
  const found = await findResult(ports, action, at);
  if (found !== undefined) return found;
  throw new ActionLost(`got no result of ${at.actionId} from ${at.instanceArn}, expected one`);
}

/** One phase's results of many hosts, in the hosts' order. @throws ActionLost */
export async function readResults<Name extends ActionName, Of extends Pick<Host, 'instanceArn'>>(
  ports: Ports,
  action: Name,
  { runId, phase, hosts }: { runId: string; phase: string; hosts: readonly Of[] },
): Promise<Array<{ host: Of; result: ActionOutput<Name> }>> {
  const actionId = actionIdOf(runId, phase);
  return pMap(
    hosts,
    async (host) => ({
      host,
      result: await readResult(ports, action, { instanceArn: host.instanceArn, actionId }),
    }),
    { concurrency: READS_AT_ONCE },
  );
}

interface DescribedBy {
  instanceArn: string;
  actionId: string;
}

export function readRing(ports: Ports, by: DescribedBy): Promise<RingView> {
  return readDocument(ports, ports.layout.resultRing(by.instanceArn, by.actionId), ringView);
}

export function readSchema(ports: Ports, by: DescribedBy): Promise<SchemaView> {
  return readDocument(ports, ports.layout.resultSchema(by.instanceArn, by.actionId), schemaView);
}
