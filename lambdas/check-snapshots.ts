// CheckSnapshots: ring and schema must be the same before and after, and the snapshots near to each other.
import type { ActionOutput } from '../contracts/actions.ts';
import { RingChanged, SchemaChanged, SnapshotSpreadExceeded } from '../contracts/errors.ts';
import { type BackupPlan, backupPlan } from '../contracts/plans.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { readConfiguration, readDocument } from './vault/documents.ts';
import { readResults } from './vault/results.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** The round after which a change fails the backup. */
const LAST_ROUND = 2;
/** S3's Date has whole seconds and the request takes its time: a smaller offset says nothing of a clock. */
const OFFSET_NOISE_MS = 2_000;

interface Taken {
  host: BackupPlan['nodes'][number];
  result: ActionOutput<'snapshot'>;
}

/** @throws in round 2: RingChanged SchemaChanged; in any: SnapshotSpreadExceeded */
export async function checkSnapshots(
  { run, planKey, round }: StepInput<'CheckSnapshots'>,
  ports: StepPorts,
): Promise<StepOutput<'CheckSnapshots'>> {
  await requireLock(ports, run);
  const plan = await readDocument(ports, planKey, backupPlan);
  const { policy } = await readConfiguration(ports, run);
  const asked = { runId: run.runId, phase: `snapshot-${round}`, hosts: plan.nodes };
  const taken = await readResults(ports, 'snapshot', asked);

  const change = ringChange(plan, taken) ?? schemaChange(plan, taken);
  if (change && round >= LAST_ROUND) throw change;
  if (change) return { outcome: 'retake', reason: `${change.name}: ${change.message}` };

  const spreadMs = spreadOf(taken);
  if (spreadMs > policy.maxSnapshotSpreadSeconds * 1_000) {
    throw new SnapshotSpreadExceeded(
      `got snapshots ${spreadMs} ms apart, expected at most ${policy.maxSnapshotSpreadSeconds} s: ${timesOf(taken)}`,
    );
  }
  return { outcome: 'consistent', spreadMs };
}

function ringChange(plan: BackupPlan, taken: readonly Taken[]) {
  const changes = taken.flatMap(({ host, result }) => {
    const down = result.notUpNormal.map((member) => `${host.instanceId} sees ${member}`);
    return result.ringDigest === plan.ringDigest ? down : [...down, `${host.instanceId} sees another ring`];
  });
  if (changes.length === 0) return undefined;
  return new RingChanged(`got after the snapshot: ${changes.join(', ')}; expected the ring of the plan`);
}

function schemaChange(plan: BackupPlan, taken: readonly Taken[]) {
  const changed = taken.filter(({ result }) => result.schemaVersion !== plan.schemaVersion);
  if (changed.length === 0) return undefined;
  const seen = changed.map(({ host, result }) => `${result.schemaVersion} on ${host.instanceId}`);
  return new SchemaChanged(`got after the snapshot: ${seen.join(', ')}; expected ${plan.schemaVersion}`);
}

/** From the first start to the last end over all nodes, on the vault's clock where a host's own is off. */
function spreadOf(taken: readonly Taken[]): number {
  const moment = ({ times }: ActionOutput<'snapshot'>, time: string) =>
    Date.parse(time) - (Math.abs(times.clockOffsetMs) > OFFSET_NOISE_MS ? times.clockOffsetMs : 0);
  const starts = taken.map(({ result }) => moment(result, result.times.startedAt));
  const ends = taken.map(({ result }) => moment(result, result.times.doneAt));
  return Math.max(0, Math.max(...ends) - Math.min(...starts));
}

function timesOf(taken: readonly Taken[]): string {
  return taken
    .map(
      ({ host, result: { times, late } }) =>
        `${host.instanceId} ${times.startedAt} to ${times.doneAt}${late ? ', late' : ''}, clock off by ${times.clockOffsetMs} ms`,
    )
    .join('; ');
}

export const handler = defineStep('CheckSnapshots', checkSnapshots);
