// What a backup is in the vault: node header, listing, cluster manifest. docs/storage-format.md explains each field.
import { z } from 'zod';
import { FORMAT_VERSION } from './documents.ts';
import {
  backupId,
  byteCount,
  clusterId,
  count,
  hostId,
  instanceArn,
  isoTime,
  sha256,
  tableId,
} from './identifiers.ts';

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
    /^(?!.*(?:^|\/)\.\.?(?:\/|$))[^/\0]+\/[^/\0]+-[0-9a-f]{32}(?:\/\.[^/\0]+)?\/[^/\0]+$/,
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
  })
  .refine((file) => (file.pack === undefined) === (file.offset === undefined), {
    message: 'expected pack and offset, or neither',
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
  /** Sorted by keyspace, table and ID; a table without files is listed with zeros. */
  tables: z.array(tableTotals),
  files: count,
  bytes: byteCount,
  /** Of which marked as damaged. */
  damagedFiles: count,
  listing: z.strictObject({ sha256, sizeBytes: byteCount, lines: count }),
});
export type NodeHeader = z.infer<typeof nodeHeader>;

export const clusterManifest = z.strictObject({
  formatVersion,
  backupId,
  clusterId,
  kind: z.enum(['snapshot']),
  /** Cassandra's own cluster_name. */
  clusterName: z.string(),
  /** The rendezvous: the moment that the backup shows. */
  snapshotAt: isoTime,
  snapshotSpreadMs: z.int().nonnegative(),
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
});
export type ClusterManifest = z.infer<typeof clusterManifest>;
