// A vault on disk, written from docs/storage-format.md alone, and `aws s3 cp` that copies from there and nothing else.
import { createCipheriv, createHash, hkdfSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { ClusterManifest, ListedFile, NodeHeader } from '../../contracts/manifests.ts';

export const CLUSTER_ID = 'demo';
export const BACKUP_ID = '20261121t020000z-0a1b2c3d';
export const HOST_ID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';
const INSTANCE_ARN = 'arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0';
const CLUSTER = `s3://vault/some/prefix/clusters/${CLUSTER_ID}`;
const backupUris = (backupId: string) => {
  const backup = `${CLUSTER}/backups/${backupId}`;
  return {
    backup,
    manifest: `${backup}/backup.json`,
    schemaCql: `${backup}/schema.cql`,
    header: `${backup}/nodes/${INSTANCE_ARN}/node.json`,
    listing: `${backup}/nodes/${INSTANCE_ARN}/files.gz`,
  };
};
export const URIS = {
  vault: 's3://vault/some/prefix',
  ...backupUris(BACKUP_ID),
  object: (sha256: string, suffix = '') => `${CLUSTER}/objects/${sha256.slice(0, 2)}/${sha256}${suffix}`,
};

export interface PlannedFile {
  path: string;
  dataDirectory?: number;
  content: string | Buffer;
  /** Files of the same name are packed together, in their order. */
  pack?: string;
  variant?: ListedFile['variant'];
}

/** What is written otherwise than it should be. Hashes are taken after it: the vault is as its writer wanted it. */
export interface Edits {
  lines?(lines: ListedFile[]): unknown[];
  header?(header: NodeHeader): unknown;
  manifest?(manifest: ClusterManifest): unknown;
}

export const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const json = (value: unknown) => JSON.stringify(value);
const same = <Value>(value: Value): unknown => value;

const KMS_KEY = 'arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000';
/** What KMS would unwrap the one to, and the other. */
const DATA_KEY = createHash('sha256').update('of this vault').digest();
const WRAPPED_KEY = Buffer.alloc(184, 'wrapped');

function encrypted(bytes: Buffer, name: string): Buffer {
  const salt = createHash('sha256').update(name).digest();
  const header = Buffer.alloc(512);
  header.write('RVENC');
  header.writeUInt8(1, 7);
  header.writeUInt16BE(WRAPPED_KEY.length, 8);
  WRAPPED_KEY.copy(header, 10);
  salt.copy(header, 480);
  const key = Buffer.from(hkdfSync('sha256', DATA_KEY, salt, `ringvault/object/${name}`, 32));
  const chunks = Math.max(1, Math.ceil(bytes.length / 65_536));
  const sealed = Array.from({ length: chunks }, (_, index) => {
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(index, 7);
    nonce.writeUInt8(index === chunks - 1 ? 1 : 0, 11);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    const plain = bytes.subarray(index * 65_536, (index + 1) * 65_536);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  });
  return Buffer.concat([header, ...sealed]);
}

/** Below `root`, a directory a bucket. */
export async function writeVault(
  root: string,
  files: readonly PlannedFile[],
  edits: Edits = {},
  backupId = BACKUP_ID,
) {
  const uris = backupUris(backupId);
  const put = async (uri: string, bytes: string | Buffer) => {
    await mkdir(dirname(pathOf(root, uri)), { recursive: true });
    await writeFile(pathOf(root, uri), bytes);
    return sha256(bytes);
  };
  const packs = new Map<string, Buffer>();
  for (const { pack, content } of files) {
    if (pack) packs.set(pack, Buffer.concat([packs.get(pack) ?? Buffer.alloc(0), Buffer.from(content)]));
  }
  const offsets = new Map<string, number>();
  const lines: ListedFile[] = [];
  for (const { path, dataDirectory = 0, content, pack, variant } of files) {
    const bytes = Buffer.from(content);
    const stored = pack ? (packs.get(pack) ?? bytes) : bytes;
    const key = sha256(stored);
    const uri = URIS.object(key, variant && `.${variant}`);
    const compressed = variant?.startsWith('zst') ? zstdCompressSync(stored) : stored;
    await put(uri, variant?.includes('enc') ? encrypted(compressed, key) : compressed);
    const offset = offsets.get(pack ?? '') ?? 0;
    if (pack) offsets.set(pack, offset + bytes.length);
    lines.push({
      ...{ path, dataDirectory, sizeBytes: bytes.length, sha256: sha256(bytes) },
      ...(pack && { pack: key, offset }),
      ...(variant && { variant }),
      ...(variant?.includes('enc') && { encryptionKey: KMS_KEY }),
    });
  }
  lines.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.dataDirectory - b.dataDirectory));
  const listed = (edits.lines ?? same)(lines) as object[];
  const listing = gzipSync(listed.map((line) => `${json(line)}\n`).join(''));
  const listingSha256 = await put(uris.listing, listing);
  const header = { ...headerOf(lines, listing), backupId };
  const headerSha256 = await put(uris.header, json((edits.header ?? same)(header)));
  const manifest: ClusterManifest = {
    ...{
      formatVersion: 1,
      backupId,
      clusterId: CLUSTER_ID,
      kind: 'snapshot',
      clusterName: 'Demo',
    },
    ...{ scope: 'cluster', selection: {}, leftOut: { nodes: 0, tables: 0 } },
    ...{ snapshotAt: TIME, snapshotSpreadMs: 12, sealedAt: TIME, schemaVersion: header.schemaVersion },
    nodes: [
      {
        ...{ hostId: HOST_ID, instanceArn: INSTANCE_ARN, headerSha256, listingSha256 },
        ...{ files: header.files, bytes: header.bytes },
      },
    ],
    ring: { sha256: await put(`${uris.backup}/ring.json`, '{}') },
    schema: { sha256: await put(`${uris.backup}/schema.json`, '{}') },
    schemaCql: { sha256: await put(uris.schemaCql, 'CREATE KEYSPACE shop WITH replication = …;\n') },
    ...{ files: header.files, bytes: header.bytes },
  };
  const manifestSha256 = await put(uris.manifest, json((edits.manifest ?? same)(manifest)));
  return { lines, header, manifest, manifestSha256 };
}

export function pathOf(root: string, uri: string): string {
  return join(root, uri.slice('s3://'.length));
}

const TIME = '2026-11-21T02:00:00.000Z';

function headerOf(lines: readonly ListedFile[], listing: Buffer): NodeHeader {
  const tables = new Map<string, NodeHeader['tables'][number]>();
  const bytes = lines.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const { path, sizeBytes } of lines) {
    const [keyspace = '', directory = ''] = path.split('/');
    const before = tables.get(directory) ?? {
      ...{ keyspace, table: directory.slice(0, -33), tableId: directory.slice(-32) },
      ...{ files: 0, bytes: 0, sstables: 0 },
    };
    const { files, bytes: earlier, sstables } = before;
    const data = path.endsWith('Data.db') ? 1 : 0;
    tables.set(directory, {
      ...before,
      ...{ files: files + 1, bytes: earlier + sizeBytes, sstables: sstables + data },
    });
  }
  const empty = {
    keyspace: 'shop',
    table: 'empty',
    tableId: '0'.repeat(32),
    files: 0,
    bytes: 0,
    sstables: 0,
  };
  return {
    ...{ formatVersion: 1, backupId: BACKUP_ID, clusterId: CLUSTER_ID },
    ...{ hostId: HOST_ID, instanceArn: INSTANCE_ARN, datacenter: 'dc1', rack: 'rack1' },
    ...{ cassandraVersion: '5.0.9', sstableFormats: ['nb'], dataDirectories: ['/data/1', '/data/2'] },
    ...{ schemaVersion: '1f0c6d2e-9f33-3c7f-8b8a-0123456789ab', snapshotTag: `ringvault-${BACKUP_ID}-1` },
    snapshot: { askedAt: TIME, startedAt: TIME, doneAt: TIME, clockOffsetMs: 3 },
    tables: [...tables.values(), empty],
    ...{ files: lines.length, bytes, damagedFiles: 0 },
    listing: { sha256: sha256(listing), sizeBytes: listing.length, lines: lines.length },
  };
}

/** An executable `aws` in a directory of its own: what it is asked for is in `requests`, a line each. */
export async function writeStandIn(root: string): Promise<{ binDirectory: string; requests: string }> {
  const binDirectory = join(root, 'bin');
  const requests = join(root, 'requests');
  const wrapped = join(root, 'wrapped-key');
  await mkdir(binDirectory);
  await writeFile(wrapped, WRAPPED_KEY);
  const script = `#!/bin/sh
if [ "$1 $2 $3 $5 $6" = "kms decrypt --ciphertext-blob --encryption-context ringvault:cluster=${CLUSTER_ID}" ]; then
  echo "$*" >>'${requests}'
  cmp -s "\${4#fileb://}" '${wrapped}' || { echo 'InvalidCiphertextException' >&2; exit 254; }
  echo '${DATA_KEY.toString('base64')}'
  exit
fi
if [ "$#" != 5 ] || [ "$1 $2 $3" != 's3 cp --only-show-errors' ]; then echo "got $*" >&2; exit 252; fi
echo "$4" >>'${requests}'
exec cp "${root}/\${4#s3://}" "$5"
`;
  await writeFile(join(binDirectory, 'aws'), script, { mode: 0o755 });
  return { binDirectory, requests };
}
