// Ring and schema after all nodes took their part, against the plan; and how far apart they took it.
import type { ActionOutput } from '../../contracts/actions.ts';
import { RingChanged, SchemaChanged } from '../../contracts/errors.ts';
import type { BackupPlan } from '../../contracts/plans.ts';
import { membersOf } from './agreement.ts';

/** The round after which a change fails the backup. */
const LAST_ROUND = 2;
/** S3's Date has whole seconds and the request takes its time: a smaller offset says nothing of a clock. */
const OFFSET_NOISE_MS = 2_000;

interface Taken {
  host: BackupPlan['nodes'][number];
  result: Pick<ActionOutput<'snapshot'>, 'times' | 'ringDigest' | 'schemaVersion' | 'notUpNormal'>;
}

/** @throws RingChanged SchemaChanged in the last round */
export function retakeAfterChange(
  plan: BackupPlan,
  round: number,
  taken: readonly Taken[],
): { outcome: 'retake'; reason: string } | undefined {
  const change = ringChange(plan, taken) ?? schemaChange(plan, taken);
  if (change && round >= LAST_ROUND) throw change;
  return change && { outcome: 'retake', reason: `${change.name}: ${change.message}` };
}

function ringChange(plan: BackupPlan, taken: readonly Taken[]) {
  const changes = taken.flatMap(({ host, result }) => {
    const seen = membersOf(result.notUpNormal, plan.leftOut.nodes);
    const down = seen.map((member) => `${host.instanceId} sees ${member}`);
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
export function spreadOf(taken: readonly Taken[]): number {
  const moment = ({ times }: Taken['result'], time: string) =>
    Date.parse(time) - (Math.abs(times.clockOffsetMs) > OFFSET_NOISE_MS ? times.clockOffsetMs : 0);
  const starts = taken.map(({ result }) => moment(result, result.times.startedAt));
  const ends = taken.map(({ result }) => moment(result, result.times.doneAt));
  return Math.max(0, Math.max(...ends) - Math.min(...starts));
}
