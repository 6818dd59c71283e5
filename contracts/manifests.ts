// What a backup is in the vault: node header, listing, cluster manifest. docs/storage-format.md explains each field.
import { z } from 'zod';
import { FORMAT_VERSION } from './documents.ts';
import {
  backupId,
  backupKind,
  byteCount,
  clusterId,
  count,
  hostId,
  instanceArn,
  isoTime,
  kmsKeyArn,
  sha256,
  tableId,
} from './identifiers.ts';
import { measuredPause } from './pause.ts';
import { backupScope, selection } from './selection.ts';

const formatVersion = z.literal(FORMAT_VERSION);

/**
 * How an object is not simply the plain bytes under their hash, and what its key therefore ends with: compressed (`zst`), then
 * encrypted by the host (`enc`), and beside an object that holds other bytes than its name says (`2`).
 */
export const objectVariant = z.enum(['2', 'zst', 'zst.2', 'enc', 'enc.2', 'zst.enc', 'zst.enc.2']);
export type ObjectVariant = z.infer<typeof objectVariant> | 'plain';

/** A path below a data directory: `<keyspace>/<table>-<id>/[.<index>/]<component>`. No "..", no leading "/". */
const dataPath = z
  .string()
  .regex(
    /^(?!.*(?:^|\/)\.\.?(?:\/|$))[^/\0]+\/[^/\0]+-[0-9a-f]{32}(?:\/\.[^/\0]+)?\/[^/\0]+$/s,
    'a path below a data directory',
  );

/** One line of `files.gz` (gzip of JSON lines), sorted by `path` in code-unit order, then by `dataDirectory`. */
export const listedFile = z
  .strictObject({
    path: dataPath,
    /** Index into the header's `dataDirectories`. */
    dataDirectory: z.int().nonnegative(),
    sizeBytes: byteCount,
    sha256,
    /** SHA-256 of the pack that holds the file; absent where the file is an object of its own, named by `sha256`. */
    pack: sha256.optional(),
    /** Where in the pack its first byte is. */
    offset: byteCount.optional(),
    /** Only where it had rotted on the disk when it was stored: it is not what its Digest.crc32 says. */
    damaged: z.literal(true).optional(),
    /** The suffix of the object's key, where it has one. */
    variant: objectVariant.optional(),
    /** The KMS key that wrapped the data key of an object that the host encrypted. */
    encryptionKey: kmsKeyArn.optional(),
  })
  .refine((file) => (file.pack === undefined) === (file.offset === undefined), {
    message: 'expected pack and offset, or neither',
  })
  .refine((file) => (file.encryptionKey !== undefined) === (file.variant?.includes('enc') ?? false), {
    message: 'expected the key of what is encrypted, and of nothing else',
  });
export type ListedFile = z.infer<typeof listedFile>;

export const tableTotals = z.strictObject({
  keyspace: z.string(),
  table: z.string(),
  tableId,
  files: count,
  bytes: byteCount,
  /** Data.db files, those of secondary indexes included: what Cassandra's snapshot manifest lists. */
  sstables: count,
});
export type TableTotals = z.infer<typeof tableTotals>;

export const snapshotTimes = z.strictObject({
  /** The rendezvous. */
  askedAt: isoTime,
  startedAt: isoTime,
  doneAt: isoTime,
  /** Host's clock minus S3's, to S3's whole seconds. */
  clockOffsetMs: z.int(),
});

export const nodeHeader = z.strictObject({
  formatVersion,
  backupId,
  clusterId,
  hostId,
  instanceArn,
  datacenter: z.string(),
  rack: z.string(),
  cassandraVersion: z.string(),
  /** SSTable formats in use, e.g. ["nb"]; a restore to a Cassandra that cannot read one is refused. */
  sstableFormats: z.array(z.string()),
  dataDirectories: z.array(z.string()).min(1),
  schemaVersion: z.uuid(),
  snapshotTag: z.string(),
  snapshot: snapshotTimes,
  /** Whether Cassandra's incremental backups were on when it was taken: without, none can go on from it. */
  incrementalBackups: z.boolean().optional(),
  /** Sorted by keyspace, table and ID; a table without files is listed with zeros. */
  tables: z.array(tableTotals),
  files: count,
  bytes: byteCount,
  /** Of which marked as damaged. */
  damagedFiles: count,
  listing: z.strictObject({ sha256, sizeBytes: byteCount, lines: count }),
});
export type NodeHeader = z.infer<typeof nodeHeader>;

/** A sealed backup, every byte of it pinned. */
export const backupLink = z.strictObject({ backupId, manifestSha256: sha256 });
export type BackupLink = z.infer<typeof backupLink>;

export const clusterManifest = z
  .strictObject({
    formatVersion,
    backupId,
    clusterId,
    kind: backupKind,
    /** Of an incremental: the backup that its chain begins with, and the newest of the chain before it. */
    base: backupLink.optional(),
    previous: backupLink.optional(),
    scope: backupScope,
    /** What was chosen, by the request or by the configuration; empty where it was everything. */
    selection,
    /** Ring members, and tables and views of the users, that it does not hold. */
    leftOut: z.strictObject({ nodes: count, tables: count }),
    /** Cassandra's own cluster_name. */
    clusterName: z.string(),
    /** The rendezvous: the moment that the backup shows. */
    snapshotAt: isoTime,
    snapshotSpreadMs: z.int().nonnegative(),
    /** Of a consistent backup: which applications stood still, and how long. */
    pause: measuredPause.optional(),
    sealedAt: isoTime,
    schemaVersion: z.uuid(),
    /** Sorted by host ID. The hash of this document pins every byte of the backup. */
    nodes: z
      .array(
        z.strictObject({
          hostId,
          instanceArn,
          headerSha256: sha256,
          listingSha256: sha256,
          files: count,
          bytes: byteCount,
        }),
      )
      .min(1),
    ring: z.strictObject({ sha256 }),
    schema: z.strictObject({ sha256 }),
    schemaCql: z.strictObject({ sha256 }),
    files: count,
    bytes: byteCount,
  })
  .refine(
    ({ kind, base, previous }) => (kind === 'incremental') === (base !== undefined && previous !== undefined),
    { path: ['base'], message: 'expected base and previous of an incremental backup, and of no other' },
  );
export type ClusterManifest = z.infer<typeof clusterManifest>;
