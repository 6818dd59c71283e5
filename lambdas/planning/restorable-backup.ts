// The backup that a restore is to bring back: sealed, by the vault's own word, with its ring, schema and headers pinned.
import pMap from 'p-map';
import type { VaultPlace } from '../../contracts/configuration.ts';
import { unquoted } from '../../contracts/cql.ts';
import { NoBackup, UnknownBackup } from '../../contracts/errors.ts';
import { vaultLayout } from '../../contracts/layout.ts';
import { type ClusterManifest, type NodeHeader, nodeHeader } from '../../contracts/manifests.ts';
import {
  type RingView,
  ringView,
  type SchemaStatement,
  type SchemaTable,
  type SchemaView,
  schemaView,
} from '../../contracts/ring.ts';
import { readPinned } from '../vault/documents.ts';
import { READS_AT_ONCE } from '../vault/results.ts';
import { chainOf, findManifest, latestSealed } from '../vault/sealed-backups.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout'> & { place?: VaultPlace | undefined };

/** @param place where a backup lies, if not in the vault of the run */
export function inVault(
  ports: Pick<StepPorts, 'vault' | 'layout' | 'openVault'>,
  place: VaultPlace | undefined,
): Ports {
  if (!place) return ports;
  const { bucket, prefix, region, kmsRegions } = place;
  return {
    vault: ports.openVault(place),
    layout: vaultLayout(prefix),
    place: { bucket, prefix, region, ...(kmsRegions && { kmsRegions }) },
  };
}

/** One of a chain. */
export interface ChainLink {
  manifest: ClusterManifest;
  /** In the order of the manifest's nodes. */
  headers: NodeHeader[];
}

export interface RestorableBackup {
  /** The newest of the chain: what is restored is as it says. */
  manifest: ClusterManifest;
  ring: RingView;
  /** Of the tables that it holds. */
  schema: SchemaView;
  /** Of the newest, in the order of the manifest's nodes. */
  headers: NodeHeader[];
  /** The base first. */
  chain: ChainLink[];
  /** Whether it was taken on another cluster's instances. */
  isOfOthers: boolean;
  /** Where it lies, if not in the vault of the run. */
  place: VaultPlace | undefined;
}

/**
 * @param backupId or `latest`
 * @param snapshotOnly of an incremental backup its base alone
 * @param ports of the vault that it lies in, see {@link inVault}
 * @throws UnknownBackup NoBackup BackupDamaged NewerFormat
 */
export async function readBackup(
  ports: Ports,
  clusterId: string,
  backupId: string,
  snapshotOnly = false,
): Promise<RestorableBackup> {
  const whole = await chainOf(ports, clusterId, await requireManifest(ports, clusterId, backupId));
  const manifests = snapshotOnly ? whole.slice(0, 1) : whole;
  const manifest = manifests.at(-1) as ClusterManifest;
  const { layout, place } = ports;
  const id = manifest.backupId;
  const [ring, schema] = await Promise.all([
    readPinned(ports, layout.backupRing(clusterId, id), manifest.ring.sha256, ringView),
    readPinned(ports, layout.backupSchema(clusterId, id), manifest.schema.sha256, schemaView),
  ]);
  const chain: ChainLink[] = [];
  for (const link of manifests) chain.push({ manifest: link, headers: await readHeaders(ports, link) });
  const { headers = [] } = chain.at(-1) ?? {};
  return { manifest, ring, schema: heldSchema(schema, headers), headers, chain, isOfOthers: false, place };
}

function readHeaders(ports: Ports, { clusterId, backupId, nodes }: ClusterManifest): Promise<NodeHeader[]> {
  return pMap(
    nodes,
    ({ instanceArn, headerSha256 }) =>
      readPinned(ports, ports.layout.nodeHeader(clusterId, backupId, instanceArn), headerSha256, nodeHeader),
    { concurrency: READS_AT_ONCE },
  );
}

/** A backup of chosen keyspaces keeps the whole schema, and restores what it holds of it. */
function heldSchema(schema: SchemaView, headers: readonly NodeHeader[]): SchemaView {
  const held = headers.map(({ tables }) => new Set(tables.map((table) => table.tableId)));
  return schemaOf(
    schema,
    schema.tables.filter(({ id }) => held.every((ids) => ids.has(id))),
  );
}

/** What of a schema is of these tables, and of the keyspaces that they are in. */
export function schemaOf(schema: SchemaView, tables: SchemaTable[]): SchemaView {
  if (tables.length === schema.tables.length) return schema;
  const keyspaces = new Set(tables.map((table) => table.keyspace));
  const leftOut = new Set(
    schema.tables
      .filter((table) => !tables.includes(table))
      .flatMap(({ keyspace, name, indexes }) =>
        [name, ...indexes.map((index) => index.name)].map((each) => `${keyspace}.${each}`),
      ),
  );
  const isOfTable = ({ type }: SchemaStatement) => TABLE_STATEMENTS.includes(type);
  const statements = schema.statements.filter(
    (each) =>
      keyspaces.has(unquoted(each.keyspace)) &&
      !(isOfTable(each) && leftOut.has(`${unquoted(each.keyspace)}.${unquoted(each.name)}`)),
  );
  return { ...schema, tables, statements };
}

/** Rows of `DESCRIBE` that belong to one table; keyspaces, types and functions belong to all. */
const TABLE_STATEMENTS = ['table', 'index', 'materialized_view', 'view'];

async function requireManifest(ports: Ports, clusterId: string, backupId: string): Promise<ClusterManifest> {
  if (backupId === 'latest') {
    const latest = await latestSealed(ports, clusterId);
    if (latest) return latest;
    throw new NoBackup(`cluster "${clusterId}" has no sealed backup that is not of a part of it`);
  }
  const manifest = await findManifest(ports, clusterId, backupId);
  if (manifest) return manifest;
  throw new UnknownBackup(`cluster "${clusterId}" has no sealed backup ${backupId}`);
}
