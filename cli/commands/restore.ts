// `ringvault restore <cluster>`: shows which backup it would be, asks, starts the restore and watches it.
import { InvalidRequest } from '../../contracts/errors.ts';
import type { ClusterManifest } from '../../contracts/manifests.ts';
import { type RestoreRequest, selectionWithNames } from '../../contracts/requests.ts';
import { describeSelection, type Selection, selectionOf } from '../../contracts/selection.ts';
import type { Answer } from '../answer.ts';
import { confirm } from '../confirm.ts';
import type { Session } from '../deployment.ts';
import { requireBackup } from '../lookup.ts';
import { formatBytes, formatTime } from '../render/format.ts';
import { startRun } from '../start.ts';

interface RestoreOptions extends Selection {
  /** A backup ID or "latest". */
  backup: string;
  /** Whose; the cluster's own without it. */
  sourceCluster?: string;
  /** A name of ringvault.yaml's `vaults`: where it lies, if not in the deployment's own. */
  sourceVault?: string;
  dryRun?: boolean;
  stopAfterStep?: 'download';
  onlyBackedUpDatacenters: boolean;
  snapshotOnly?: boolean;
  ignoreGcGrace?: boolean;
  online?: boolean;
  /** `keyspace` or `keyspace.table` → its other name. */
  as?: Record<string, string>;
  ignoreCounters?: boolean;
  /** A host ID, or the instance of the backup; it is brought back on another. */
  deadNode?: string;
  /** That other instance. */
  on?: string;
  newHostId?: boolean;
  /** Undefined: as the workflow does by default. */
  repair?: boolean;
  yes?: boolean;
  wait: boolean;
}

/** @throws InvalidRequest UnknownCluster UnknownBackup NoBackup NotConfirmed */
export async function restore(session: Session, clusterId: string, options: RestoreOptions): Promise<Answer> {
  const deadNode = deadNodeOf(options);
  requireNamed(options);
  // Another vault the workflow and the hosts can read; who types this, perhaps not.
  const manifest = options.sourceVault ? undefined : await restored(session, clusterId, options);
  // The backup that was shown is the one that is restored, whatever is sealed in between.
  const { backupId } = manifest ?? { backupId: options.backup };
  const {
    dryRun = false,
    snapshotOnly = false,
    ignoreGcGrace = false,
    as,
    online = as !== undefined,
    ignoreCounters = false,
    onlyBackedUpDatacenters,
    sourceCluster,
    sourceVault,
    repair,
    stopAfterStep,
  } = options;
  // What changes nothing needs no consent.
  if (!dryRun && !stopAfterStep) {
    const consequence =
      deadNode && manifest
        ? bringingBack(clusterId, manifest, deadNode, repair ?? true)
        : consequenceOf(clusterId, manifest, options, online);
    await confirm(session.terminal, clusterId, consequence, options.yes);
  }
  const request: RestoreRequest = {
    ...{ operation: 'restore', clusterId, backupId, dryRun, snapshotOnly, onlyBackedUpDatacenters },
    ...{ ...selectionOf(options), ignoreGcGrace, ignoreCounters, online },
    ...(as && { as }),
    ...(sourceCluster && { sourceCluster }),
    ...(sourceVault && { sourceVault }),
    ...(deadNode && { deadNode }),
    ...(repair !== undefined && { repair }),
    ...(stopAfterStep && { stopAfterStep }),
    ...(!dryRun && { confirmCluster: clusterId }),
  };
  return startRun(session, 'restore', request, options.wait);
}

function deadNodeOf({ deadNode, on, newHostId = false }: RestoreOptions) {
  if (deadNode && on) return { node: deadNode, newInstanceId: on, newHostId };
  if (newHostId) throw new InvalidRequest('--new-host-id: expected only with --dead-node');
  if (!deadNode && !on) return undefined;
  throw new InvalidRequest(
    `--dead-node and --on: got ${deadNode ? 'no --on' : 'no --dead-node'}, expected both or neither`,
  );
}

/** What cannot be shown before it is asked for must be meant. @throws InvalidRequest */
function requireNamed({ sourceVault, backup, deadNode, dryRun, stopAfterStep }: RestoreOptions): void {
  if (!sourceVault) return;
  if (deadNode) throw new InvalidRequest('--source-vault: expected none with --dead-node');
  if (backup !== 'latest' || dryRun || stopAfterStep) return;
  throw new InvalidRequest(
    '--backup: got latest, expected an ID with --source-vault: --dry-run tells that of the latest',
  );
}

async function restored(
  { deployment }: Session,
  clusterId: string,
  { backup, sourceCluster = clusterId, snapshotOnly }: RestoreOptions,
) {
  const manifest = await requireBackup(deployment, sourceCluster, backup);
  if (!snapshotOnly || !manifest.base) return manifest;
  return requireBackup(deployment, sourceCluster, manifest.base.backupId);
}

function partOf({ selection, leftOut }: ClusterManifest): string[] {
  if (leftOut.nodes === 0 && leftOut.tables === 0) return [];
  return [
    `It is a part of the cluster (${describeSelection(selection)}): ${leftOut.nodes} nodes and ${leftOut.tables} tables and views are left as they are.`,
  ];
}

function consequenceOf(
  clusterId: string,
  manifest: ClusterManifest | undefined,
  options: RestoreOptions,
  online: boolean,
): string {
  const { as } = options;
  const chosen = selectionWithNames(options);
  const asked = describeSelection(chosen);
  const ofSome = (manifest?.leftOut.nodes ?? 0) > 0 || Boolean(chosen.nodes ?? chosen.datacenter);
  return [
    ...(manifest ? backupShown(clusterId, manifest) : backupNamed(clusterId, options)),
    ...(asked ? [`Only a part of that is restored: ${asked}. The rest is left as it is.`] : []),
    ...(manifest?.base
      ? [
          `It is an incremental: what it goes on from, beginning with ${manifest.base.backupId}, is restored with it.`,
        ]
      : []),
    ...Object.entries(as ?? {}).map(
      ([was, is]) => `${was} comes back as ${is}, beside the live one, which stays as it is.`,
    ),
    ...(online && !as ? BESIDE : []),
    ...(online ? [] : inPlace(ofSome)),
  ].join('\n');
}

function backupShown(clusterId: string, manifest: ClusterManifest): string[] {
  const source = `${manifest.clusterId} (${manifest.clusterName}, ${manifest.nodes.length} nodes)`;
  const isOther = manifest.clusterId !== clusterId;
  return [
    isOther
      ? `Restores cluster ${clusterId} from backup ${manifest.backupId} of another cluster, ${source}:`
      : `Restores cluster ${source} from backup ${manifest.backupId}:`,
    `its data as of ${formatTime(manifest.snapshotAt)}, ${manifest.files} files, ${formatBytes(manifest.bytes)}.`,
    ...partOf(manifest),
  ];
}

function backupNamed(
  clusterId: string,
  { backup, sourceCluster = clusterId, sourceVault }: RestoreOptions,
): string[] {
  return [
    `Restores cluster ${clusterId} from the backup ${backup} of ${sourceCluster} in vault ${sourceVault}: see --dry-run for what it is.`,
  ];
}

function bringingBack(
  clusterId: string,
  { backupId, snapshotAt }: ClusterManifest,
  { node, newInstanceId, newHostId }: NonNullable<ReturnType<typeof deadNodeOf>>,
  repairs: boolean,
): string {
  const as = newHostId
    ? 'in its place: a new host ID, with its tokens,'
    : 'as what it was: its host ID, its tokens,';
  return [
    `Brings node ${node} of cluster ${clusterId} back on ${newInstanceId} ${as}`,
    `and its data as of ${formatTime(snapshotAt)}, from backup ${backupId}. ${newInstanceId} must be empty; the other nodes serve`,
    `throughout. ${repairs ? 'At the end the node is repaired, which may take hours.' : 'It is not repaired: do that yourself.'} There is no undo.`,
    `Its old host must never come up again: two nodes with one identity${newHostId ? ', or the same tokens,' : ''} would corrupt the ring.`,
  ].join('\n');
}

const BESIDE = [
  'Cassandra takes it in beside what the tables have now, and serves throughout. Rows that were changed since stay as they are, and rows that',
  'were deleted since do not come back (--as brings them back under another name, to copy from). There is no undo.',
];

const inPlace = (ofSome: boolean) => [
  'So that what stays loses no write, clients may be kept out for some seconds before the stop.',
  `${ofSome ? 'These nodes' : 'All nodes'} are stopped and started; what was written since then is replaced. The data of now is kept aside on each`,
  'host until you run `ringvault release`, and `ringvault undo` brings it back.',
];
