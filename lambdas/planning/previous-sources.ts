// Which sealed backups tell a node what is stored already. Objects belong to the cluster: a node that moved to another
// instance still finds its own.
import type { BackupSource } from '../../contracts/actions.ts';
import type { ClusterManifest } from '../../contracts/manifests.ts';
import type { Host } from '../../contracts/plans.ts';
import type { Selection } from '../../contracts/selection.ts';
import type { EarlierBackups } from '../vault/sealed-backups.ts';

type Node = Host & { hostId: string };

/** A node that none of so many holds is taken as new. */
const LOOKED_AT = 20;

/**
 * By instance ARN: the newest backup sealed before the run that holds the node, of the same choice of tables if there is one;
 * and the incrementals since.
 * A manifest that cannot be read costs uploads, and no backup.
 */
export async function previousSources(
  earlier: EarlierBackups,
  asked: { nodes: readonly Node[]; selection: Selection },
): Promise<{ sources: Map<string, BackupSource[]>; warnings: string[] }> {
  const same = new Map<string, BackupSource>();
  const other = new Map<string, BackupSource>();
  const increments = new Map<string, BackupSource[]>();
  const warnings: string[] = [];
  let lookedAt = 0;
  for (const backupId of await earlier.ids()) {
    if (same.size === asked.nodes.length || lookedAt >= LOOKED_AT) break;
    const { sealed, unreadable } = await earlier.read(backupId);
    if (unreadable) {
      warnings.push(
        `What only backup ${backupId} has is uploaded anew, it cannot be read: ${unreadable.message}`,
      );
    }
    const manifest = sealed?.manifest;
    if (manifest?.kind !== 'incremental') lookedAt += 1;
    if (!manifest) continue;
    const found = isSameChoice(manifest.selection, asked.selection) ? same : other;
    for (const node of asked.nodes) {
      const source = sourceOf(manifest, node);
      if (!source || same.has(node.instanceArn)) continue;
      if (manifest.kind === 'incremental')
        increments.set(node.instanceArn, [...(increments.get(node.instanceArn) ?? []), source]);
      else if (!found.has(node.instanceArn)) found.set(node.instanceArn, source);
    }
  }
  const whole = new Map([...other, ...same]);
  const sources = asked.nodes.map(({ instanceArn }) => {
    const [newest, since = []] = [whole.get(instanceArn), increments.get(instanceArn)];
    return [instanceArn, [...(newest ? [newest] : []), ...since]] satisfies [string, BackupSource[]];
  });
  return { sources: new Map<string, BackupSource[]>(sources), warnings };
}

function isSameChoice(one: Selection, other: Selection): boolean {
  return JSON.stringify(one.keyspaces) === JSON.stringify(other.keyspaces);
}

function sourceOf(manifest: ClusterManifest, { hostId, instanceArn }: Node): BackupSource | undefined {
  const node =
    manifest.nodes.find((each) => each.hostId === hostId) ??
    manifest.nodes.find((each) => each.instanceArn === instanceArn);
  if (!node) return undefined;
  const { clusterId, backupId } = manifest;
  const { headerSha256, listingSha256 } = node;
  return { clusterId, backupId, instanceArn: node.instanceArn, headerSha256, listingSha256 };
}
