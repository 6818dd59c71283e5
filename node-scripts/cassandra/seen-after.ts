// What a node sees of the ring and the schema once its part of a backup is taken: it must be what the others see.
import type { ActionOutput } from '../../contracts/actions.ts';
import type { ActionContext } from '../context.ts';
import { withCql } from './cql.ts';
import { notUpNormal, ringStatus } from './nodetool.ts';
import { readRing, ringBytes } from './ring.ts';

type Seen = Pick<ActionOutput<'snapshot'>, 'ringDigest' | 'schemaVersion' | 'notUpNormal'>;

export async function seenAfter(context: ActionContext): Promise<Seen> {
  const status = await ringStatus(context);
  const { own, ring } = await withCql(context, (cql) => readRing(cql, status));
  return {
    ringDigest: ringBytes(ring).digest,
    schemaVersion: own.schemaVersion,
    notUpNormal: notUpNormal(status),
  };
}
