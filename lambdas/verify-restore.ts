// VerifyRestore: ring, schema and each node's placed totals against the backup, once every node serves again.
import pMap from 'p-map';
import type { ActionOutput } from '../contracts/actions.ts';
import { RestoreIncomplete } from '../contracts/errors.ts';
import { actionIdOf } from '../contracts/identifiers.ts';
import { type RestorePlan, restorePlan } from '../contracts/plans.ts';
import type { RingView, SchemaView } from '../contracts/ring.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { requireOneRing, requireOneSchema, requireUp, upHost } from './planning/agreement.ts';
import { replicatedOnlyIn } from './planning/replication.ts';
import { backedUpDatacenters, requireSameRing } from './planning/restore-nodes.ts';
import { readSource } from './planning/restore-source.ts';
import { restoredPart } from './planning/restored-part.ts';
import { compareSchemas } from './planning/schema-difference.ts';
import { readDocument } from './vault/documents.ts';
import { READS_AT_ONCE, readResult, readResults, readRing, readSchema } from './vault/results.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws RestoreIncomplete RunEnded BackupDamaged */
export async function verifyRestore(
  { run, planKey }: StepInput<'VerifyRestore'>,
  ports: StepPorts,
): Promise<StepOutput<'VerifyRestore'>> {
  await requireLock(ports, run);
  const plan = await readDocument(ports, planKey, restorePlan);
  const { load } = plan;
  if (load) {
    await asIncomplete(() => verifyLoad(plan, load, ports));
    return totalsOf(plan, ports, 'load');
  }
  await asIncomplete(async () => {
    const asked = { runId: run.runId, phase: 'describe-after', hosts: plan.nodes };
    const up = requireUp(await readResults(ports, 'describe', asked));
    const { host } = requireOneRing(up);
    requireOneSchema(up);
    const by = { instanceArn: host.instanceArn, actionId: actionIdOf(run.runId, 'describe-after') };
    const ring = await readRing(ports, by);
    const source = { ...plan, datacenter: plan.selection.datacenter };
    if (plan.deadNode) {
      const others = await readResults(ports, 'describe', { ...asked, hosts: plan.deadNode.others });
      const all = [...up, ...others.flatMap((each) => upHost(each) ?? [])];
      requireOneSchema(all);
      // Whoever still takes the dead one for the owner of its tokens writes past the new one.
      if (plan.deadNode.replaces) requireOneRing(all);
    }
    const whole = await readSource(ports, plan.clusterId, source, async () => ring);
    const backup = restoredPart(whole, plan.selection, plan.nodes);
    if (plan.deadNode?.replaces) return requireInPlaceOfDead(plan, up, { was: backup.ring, is: ring });
    requireSameRing(ring, backup);
    requireSameHosts(plan, up);
    // Of tables that were dropped since nothing comes back.
    if (plan.deadNode) return;
    const live = await readSchema(ports, by);
    const restored = plan.onlyBackedUpDatacenters
      ? replicatedOnlyIn(backup.schema, live, backedUpDatacenters(backup))
      : backup.schema;
    requireSameSchema(restored, live);
    // Gossip may take a moment to tell every node that the others are back; each one says itself that it serves.
    const seen = up.flatMap((node) => node.notUpNormal);
    if (seen.length > 0)
      ports.log.warn({ run: run.runId, members: seen }, 'members not Up/Normal to others yet');
  });
  return totalsOf(plan, ports, plan.online ? 'import' : 'place');
}

/** That every SSTable went out each host has seen itself; here, that every table is there that it went to. */
async function verifyLoad(
  { runId, nodes }: RestorePlan,
  load: NonNullable<RestorePlan['load']>,
  ports: StepPorts,
): Promise<void> {
  const asked = { runId, phase: 'describe-after', hosts: nodes };
  const up = requireUp(await readResults(ports, 'describe', asked));
  const { host, ringDigest } = requireOneRing(up);
  requireOneSchema(up);
  if (ringDigest !== load.ringDigest) {
    throw new RestoreIncomplete(
      'the ring was changed during the load: nodes that own rows now may not have them. Repair the tables, or load them again',
    );
  }
  const actionId = actionIdOf(runId, 'describe-after');
  const { tables } = await readSchema(ports, { instanceArn: host.instanceArn, actionId });
  const ids = new Map(tables.map(({ keyspace, name, id }) => [`${keyspace}.${name}`, id]));
  const others = Object.entries(load.targets).filter(([name, id]) => ids.get(name) !== id);
  if (others.length === 0) return;
  const named = others.map(([name, id]) => `${name} with ID ${id}`).join(', ');
  throw new RestoreIncomplete(`got no ${named}, expected the tables that were filled`);
}

/** Whatever is not as the backup says: after the swap that is one failure, with one hint. */
async function asIncomplete(check: () => Promise<void>): Promise<void> {
  const told = ['NodeDown', 'RingDisagreement', 'SchemaDisagreement', 'TopologyMismatch', 'TokensMismatch'];
  try {
    await check();
  } catch (cause) {
    if (!(cause instanceof Error) || !told.includes(cause.name)) throw cause;
    throw new RestoreIncomplete(`${cause.name}: ${cause.message}`, { cause });
  }
}

/** The place of the dead node is that of another, and it is gone. */
function requireInPlaceOfDead(
  { nodes }: RestorePlan,
  up: ReturnType<typeof requireUp>,
  { was, is }: { was: RingView; is: RingView },
): void {
  const member = (ring: RingView, hostId: string | undefined) =>
    ring.nodes.find((each) => each.hostId === hostId);
  const placeOf = (ring: RingView, hostId: string | undefined) => {
    const { datacenter, rack, tokens = [] } = member(ring, hostId) ?? {};
    return `${datacenter}, ${rack}, tokens ${tokens.join(',')}`;
  };
  const wrong = nodes.flatMap(({ instanceId, hostId }) => {
    const now = up.find(({ host }) => host.instanceId === instanceId)?.hostId;
    if (member(is, hostId)) return [`got dead node ${hostId} in the ring, expected it replaced`];
    const [there, here] = [placeOf(was, hostId), placeOf(is, now)];
    return here === there ? [] : [`${instanceId} (${now}) is ${here}, expected ${there}, as ${hostId} was`];
  });
  if (wrong.length > 0) throw new RestoreIncomplete(wrong.join('; '));
}

function requireSameHosts(plan: RestorePlan, up: ReturnType<typeof requireUp>): void {
  const wrong = plan.nodes.flatMap((node) => {
    const now = up.find(({ host }) => host.instanceId === node.instanceId)?.hostId;
    return now === node.hostId ? [] : [`${node.instanceId} has host ID ${now}, expected ${node.hostId}`];
  });
  if (wrong.length > 0) throw new RestoreIncomplete(wrong.join('; '));
}

/** For an undo too: where nobody could tell the schema before, old files may have gone where no table reads them. */
function requireSameSchema(backup: SchemaView, live: SchemaView): void {
  const { missing, conflicts } = compareSchemas(backup, live);
  const problems = [...missing.map((table) => `got no ${table}, expected all of the backup`), ...conflicts];
  if (problems.length > 0) throw new RestoreIncomplete(`schema: ${problems.join('; ')}`);
}

async function totalsOf(
  plan: RestorePlan,
  ports: StepPorts,
  phase: 'place' | 'import' | 'load',
): Promise<StepOutput<'VerifyRestore'>> {
  if (plan.operation !== 'restore') return { nodes: plan.nodes.length, files: 0, bytes: 0 };
  const problems: string[] = [];
  const placed = await pMap(
    plan.nodes,
    async ({ instanceArn, instanceId, bytes, sources }) => {
      const at = (phase: string) => ({ instanceArn, actionId: actionIdOf(plan.runId, phase) });
      const result: ActionOutput<'place' | 'import' | 'load'> = await readResult(ports, phase, at(phase));
      // Batch by batch it was fetched and streamed.
      if (phase === 'load') return result;
      const downloaded = await readResult(ports, 'download', at('download'));
      const placedOrTaken = phase === 'import' ? 'took in' : 'placed';
      if (result.files !== downloaded.files || result.bytes !== downloaded.bytes) {
        problems.push(
          `${instanceId} ${placedOrTaken} ${result.files} files of ${result.bytes} bytes, downloaded ${downloaded.files} of ${downloaded.bytes}`,
        );
      }
      // A file that two of a chain have is placed once.
      if (sources.length === 1 && result.bytes < bytes)
        problems.push(`${instanceId} placed ${result.bytes} bytes, expected ${bytes}`);
      return result;
    },
    { concurrency: READS_AT_ONCE },
  );
  if (problems.length > 0) throw new RestoreIncomplete(problems.join('; '));
  return {
    nodes: placed.length,
    files: placed.reduce((sum, each) => sum + each.files, 0),
    bytes: placed.reduce((sum, each) => sum + each.bytes, 0),
  };
}

export const handler = defineStep('VerifyRestore', verifyRestore);
