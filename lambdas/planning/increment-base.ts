// Which backup an incremental goes on from, and what the vault and the history say against it.
import { InvalidRequest, UnknownBackup } from '../../contracts/errors.ts';
import type { BackupLink, ClusterManifest } from '../../contracts/manifests.ts';
import type { RunRef } from '../../contracts/runs.ts';
import type { Selection } from '../../contracts/selection.ts';
import { type EarlierBackups, findSealed, type SealedBackup } from '../vault/sealed-backups.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { operationOf, placedSince } from './placed-since.ts';

export interface IncrementBase {
  base?: BackupLink;
  /** The newest of the base's chain, or the base itself. */
  previous?: BackupLink;
  gaps: string[];
}

/** What the run is to hold. */
interface Wanted {
  /** The base that the request names. */
  named: string | undefined;
  hostIds: readonly string[];
  keyspaces: Selection['keyspaces'];
  longestChain: number;
}

type Ports = Pick<StepPorts, 'vault' | 'layout' | 'catalog'>;

/** @throws UnknownBackup InvalidRequest */
export async function incrementBase(
  ports: Ports,
  run: RunRef,
  earlier: EarlierBackups,
  wanted: Wanted,
): Promise<IncrementBase> {
  const { hostIds } = wanted;
  const { newer, found } = await findBase(ports, run, earlier, wanted);
  if (!found) return { gaps: ['there is no completed backup yet that it could go on from'] };
  const { base, previous, chained } = found;
  const known = new Set(base.manifest.nodes.map(({ hostId }) => hostId));
  const ofPrevious = previous.manifest.nodes.map(({ hostId }) => hostId);
  const gaps = [
    ...(hasTables(base.manifest, wanted.keyspaces)
      ? []
      : [`backup ${base.link.backupId} was taken of other tables`]),
    ...hostIds
      .filter((hostId) => known.has(hostId) && !ofPrevious.includes(hostId))
      .map(
        (hostId) =>
          `backup ${previous.link.backupId}, which it would go on from, was taken without the node ${hostId}`,
      ),
    ...hostIds
      .filter((hostId) => !known.has(hostId))
      .map((hostId) => `backup ${base.link.backupId} does not have the node ${hostId}`),
    ...newer.map(
      (backupId) =>
        `backup ${backupId}, on another base or not readable, may have taken what was written since`,
    ),
    ...(chained < wanted.longestChain
      ? []
      : [
          `backup ${base.link.backupId} has ${chained} incrementals, the most that incremental.longestChain allows`,
        ]),
    ...(await restoresSince(ports, run, base.link.backupId)),
  ];
  return { base: base.link, previous: previous.link, gaps };
}

/** Where none of so many has all the nodes, the newest is told to lack some. A base that is named is older than none of them. */
const BASES_LOOKED_AT = 20;

interface Found {
  base: SealedBackup;
  previous: SealedBackup;
  /** Incrementals on the base. */
  chained: number;
}

/** The newest that has every node and was taken of as many tables; where none is, the newest. */
async function findBase(
  ports: Ports,
  run: RunRef,
  earlier: EarlierBackups,
  { named, hostIds, keyspaces }: Wanted,
): Promise<{ found?: Found; newer: string[] }> {
  const increments: SealedBackup[] = [];
  let incomplete: Found | undefined;
  if (named !== undefined) await mustBeBase(ports, run.clusterId, named);
  const ofBase = (base: SealedBackup): Found => {
    const chain = increments.filter(({ manifest }) => manifest.base?.backupId === base.link.backupId);
    // One that is of none of these nodes took nothing of theirs.
    const previous = chain.find(({ manifest }) =>
      manifest.nodes.some(({ hostId }) => hostIds.includes(hostId)),
    );
    return { base, previous: previous ?? base, chained: chain.length };
  };
  const newerThan = ({ base, previous }: Found) =>
    [
      ...increments
        .filter(({ manifest }) => manifest.base?.backupId !== base.link.backupId)
        .map(({ link }) => link.backupId),
      ...unreadable,
    ].filter((backupId) => backupId > previous.link.backupId);
  let lookedAt = 0;
  const unreadable: string[] = [];
  for (const backupId of await earlier.ids()) {
    if (lookedAt >= BASES_LOOKED_AT) break;
    // One that cannot be read may have taken what was written since.
    const { sealed, unreadable: failure } = await earlier.read(backupId);
    if (failure) unreadable.push(backupId);
    if (!sealed) continue;
    if (sealed.manifest.kind !== 'incremental') lookedAt += 1;
    if (sealed.manifest.kind === 'incremental') increments.push(sealed);
    else if (
      named === undefined
        ? hasAll(sealed.manifest, hostIds) && hasTables(sealed.manifest, keyspaces)
        : sealed.link.backupId === named
    ) {
      const found = ofBase(sealed);
      return { found, newer: newerThan(found) };
    } else if (named === undefined) incomplete ??= ofBase(sealed);
  }
  return { ...(incomplete && { found: incomplete }), newer: [] };
}

async function mustBeBase(ports: Ports, clusterId: string, named: string): Promise<void> {
  const sealed = await findSealed(ports, clusterId, named);
  if (!sealed) throw new UnknownBackup(`base: cluster "${clusterId}" has no sealed backup ${named}`);
  const base = sealed.manifest.base?.backupId;
  if (base)
    throw new InvalidRequest(`base: got the incremental ${named}, expected a base, such as its own ${base}`);
}

function hasAll({ nodes }: ClusterManifest, hostIds: readonly string[]): boolean {
  return hostIds.every((hostId) => nodes.some((node) => node.hostId === hostId));
}

/** A table that a base was not taken of would begin with its increments. */
function hasTables({ selection }: ClusterManifest, keyspaces: Selection['keyspaces']): boolean {
  return !selection.keyspaces || JSON.stringify(selection.keyspaces) === JSON.stringify(keyspaces);
}

/** What a restore places did not go through a flush: no increment holds it. */
async function restoresSince(ports: Ports, run: RunRef, baseId: string): Promise<string[]> {
  const placed = await placedSince(ports, run.clusterId, baseId);
  return placed.map((restore) => `${operationOf(restore)} ${restore.runId} came in between`);
}
