// A sealed backup in a vault in memory, made of the files that a test names.
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import type { MemoryObjectStore } from '../../adapters/object-store-memory.ts';
import type { DataKeys } from '../../adapters/ports.ts';
import { vaultLayout } from '../../contracts/layout.ts';
import type {
  BackupLink,
  ClusterManifest,
  ListedFile,
  NodeHeader,
  TableTotals,
} from '../../contracts/manifests.ts';
import { isSystemKeyspace, type RingView, type SchemaTable, type SchemaView } from '../../contracts/ring.ts';
import { encoded, encodingOf } from '../../node-scripts/transfer/encoding.ts';

const TIME = '2026-11-21T02:00:00.000Z';
const SCHEMA_VERSION = '0f5b1f0e-7c5d-4f3b-9a55-3a2f6f1f2b11';
const KMS_KEY = 'arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000';
const clusterId = 'demo';
const layout = vaultLayout('');

export const sha256Of = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');

export interface HeldFile extends Pick<ListedFile, 'path' | 'variant' | 'damaged'> {
  content: string | Buffer;
  dataDirectory?: number;
  /** Files of the same name are packed together, in their order. */
  pack?: string;
  /** What the listing says, where that is something else. */
  sizeBytes?: number;
}

export interface HeldNode {
  hostId: string;
  instanceId: string;
  dataDirectories: string[];
  files: HeldFile[];
}

interface Sealing {
  store: MemoryObjectStore;
  dataKeys: DataKeys;
  backupId: string;
  nodes: HeldNode[];
  /** Of an incremental. */
  previous?: BackupLink;
  /** Over the tables that the files are of. */
  tables?: SchemaTable[];
}

/** `shop/orders-1111…` */
export function tableOf(path: string): SchemaTable {
  const [keyspace = '', directory = ''] = path.split('/');
  const [name, id] = [directory.slice(0, -33), directory.slice(-32)];
  return { keyspace, name, id, kind: 'table', columns: [], indexes: [] };
}

/** @returns how the next of a chain names it, and each file's line */
export async function sealBackup({ store, nodes, backupId, previous, ...sealing }: Sealing) {
  const put = (key: string, body: string | Buffer) => {
    store.objects.set(key, Buffer.from(body));
    return sha256Of(body);
  };
  const tables = sealing.tables ?? tablesOf(nodes);
  const schema: SchemaView = { schemaVersion: SCHEMA_VERSION, tables, statements: [] };
  const ring: RingView = { clusterName: 'Test Cluster', partitioner: 'Murmur3Partitioner', nodes: [] };
  const lines: ListedFile[] = [];
  const sealed: ClusterManifest['nodes'] = [];
  for (const node of nodes) {
    const instanceArn = `arn:aws:ec2:eu-west-1:111122223333:instance/${node.instanceId}`;
    const own = await storeFiles({ store, ...sealing }, node.files);
    lines.push(...own);
    const listing = gzipSync(own.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const listingSha256 = put(layout.nodeListing(clusterId, backupId, instanceArn), listing);
    const { hostId, dataDirectories } = node;
    const header = headerOf({ backupId, hostId, instanceArn, dataDirectories }, tables, own, listing);
    const headerSha256 = put(layout.nodeHeader(clusterId, backupId, instanceArn), JSON.stringify(header));
    const { files, bytes } = header;
    sealed.push({ hostId, instanceArn, headerSha256, listingSha256, files, bytes });
  }
  const sum = (field: 'files' | 'bytes') => sealed.reduce((total, node) => total + node[field], 0);
  const manifest: ClusterManifest = {
    ...{
      formatVersion: 1,
      backupId,
      clusterId,
      clusterName: 'Test Cluster',
      scope: 'cluster',
      selection: {},
    },
    ...{ kind: previous ? 'incremental' : 'snapshot', leftOut: { nodes: 0, tables: 0 } },
    ...(previous && { base: previous, previous }),
    ...{ snapshotAt: TIME, snapshotSpreadMs: 0, sealedAt: TIME, schemaVersion: SCHEMA_VERSION },
    nodes: sealed,
    ring: { sha256: put(layout.backupRing(clusterId, backupId), JSON.stringify(ring)) },
    schema: { sha256: put(layout.backupSchema(clusterId, backupId), JSON.stringify(schema)) },
    schemaCql: { sha256: put(layout.backupSchemaCql(clusterId, backupId), `-- ${backupId}\n`) },
    ...{ files: sum('files'), bytes: sum('bytes') },
  };
  const manifestSha256 = put(layout.clusterManifest(clusterId, backupId), JSON.stringify(manifest));
  return { link: { backupId, manifestSha256 }, lines };
}

/** @returns their listing */
async function storeFiles(
  { store, dataKeys }: Pick<Sealing, 'store' | 'dataKeys'>,
  files: readonly HeldFile[],
): Promise<ListedFile[]> {
  const packs = new Map<string, Buffer>();
  const lines: ListedFile[] = [];
  const offsets: number[] = [];
  for (const { pack, content } of files) {
    const before = packs.get(pack ?? '') ?? Buffer.alloc(0);
    offsets.push(before.length);
    if (pack) packs.set(pack, Buffer.concat([before, Buffer.from(content)]));
  }
  for (const [index, { path, dataDirectory = 0, content, pack, variant, ...file }] of files.entries()) {
    const bytes = Buffer.from(content);
    const { damaged, sizeBytes = bytes.length } = file;
    const plain = packs.get(pack ?? '') ?? bytes;
    const sha256 = sha256Of(plain);
    const { isCompressed, isEncrypted } = encodingOf(variant ?? 'plain');
    const dataKey = isEncrypted ? await dataKeys.generate(KMS_KEY) : undefined;
    const source = (async function* () {
      yield plain;
    })();
    const stored = await buffer(encoded(source, { sha256, sizeBytes: plain.length, isCompressed, dataKey }));
    store.objects.set(layout.object(clusterId, sha256, variant), stored);
    lines.push({
      ...{ path, dataDirectory, sizeBytes, sha256: sha256Of(bytes) },
      ...(pack && { pack: sha256, offset: offsets[index] }),
      ...(variant && { variant }),
      ...(isEncrypted && { encryptionKey: KMS_KEY }),
      ...(damaged && { damaged }),
    });
  }
  return lines.sort((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : a.dataDirectory - b.dataDirectory,
  );
}

function tablesOf(nodes: readonly HeldNode[]): SchemaTable[] {
  const paths = nodes.flatMap(({ files }) => files.map(({ path }) => path.split('/', 2).join('/')));
  return [...new Set(paths)].map(tableOf).filter(({ keyspace }) => !isSystemKeyspace(keyspace));
}

function headerOf(
  node: Pick<NodeHeader, 'backupId' | 'hostId' | 'instanceArn' | 'dataDirectories'>,
  schema: readonly SchemaTable[],
  lines: readonly ListedFile[],
  listing: Buffer,
): NodeHeader {
  const bytesOf = (some: readonly ListedFile[]) => some.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const all = [...schema, ...lines.map(({ path }) => tableOf(path))];
  const byId = new Map(all.map((each) => [each.id, each]));
  const tables = [...byId.values()].map(({ keyspace, name: table, id: tableId }): TableTotals => {
    const own = lines.filter(({ path }) => path.startsWith(`${keyspace}/${table}-${tableId}/`));
    const sstables = own.filter(({ path }) => path.endsWith('-Data.db')).length;
    return { keyspace, table, tableId, files: own.length, bytes: bytesOf(own), sstables };
  });
  return {
    ...{ formatVersion: 1, clusterId, ...node, datacenter: 'dc1', rack: 'rack1' },
    ...{ cassandraVersion: '5.0.9', sstableFormats: ['nb'], schemaVersion: SCHEMA_VERSION },
    ...{ snapshotTag: `ringvault-${node.backupId}-1`, tables },
    snapshot: { askedAt: TIME, startedAt: TIME, doneAt: TIME, clockOffsetMs: 0 },
    ...{ files: lines.length, bytes: bytesOf(lines) },
    damagedFiles: lines.filter(({ damaged }) => damaged).length,
    listing: { sha256: sha256Of(listing), sizeBytes: listing.length, lines: lines.length },
  };
}
