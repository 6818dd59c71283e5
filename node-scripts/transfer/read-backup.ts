// Reads one node's part of a backup, pinned by the hashes that the cluster manifest names. Nothing of it is believed before
// its hash was right.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { BackupSource } from '../../contracts/actions.ts';
import { describeIssues, jsonIfAny, parseDocument } from '../../contracts/documents.ts';
import { BackupDamaged } from '../../contracts/errors.ts';
import { type ListedFile, listedFile, type NodeHeader, nodeHeader } from '../../contracts/manifests.ts';
import type { ActionContext } from '../context.ts';
import { linesOf } from './lines.ts';

export interface NodeBackup {
  header: NodeHeader;
  /** In order; can be read again and again. */
  files(): AsyncGenerator<ListedFile>;
}

export interface ReadContext extends Pick<ActionContext, 'store' | 'layout'> {
  /** Keeps the listing meanwhile. */
  directory: string;
}

/** @throws BackupDamaged */
export async function readNodeBackup(context: ReadContext, source: BackupSource): Promise<NodeBackup> {
  const { layout } = context;
  const { clusterId, backupId, instanceArn } = source;
  const headerKey = layout.nodeHeader(clusterId, backupId, instanceArn);
  const listingKey = layout.nodeListing(clusterId, backupId, instanceArn);
  const header = await readHeader(context, headerKey, source);
  if (header.listing.sha256 !== source.listingSha256) {
    throw new BackupDamaged(
      `${headerKey}: names listing ${header.listing.sha256}, expected ${source.listingSha256}`,
    );
  }
  const path = join(context.directory, `listing-${source.listingSha256.slice(0, 16)}.gz`);
  await fetchVerified(context, listingKey, source.listingSha256, path);
  return { header, files: () => readListing(path, listingKey) };
}

async function readHeader({ store }: ReadContext, key: string, source: BackupSource): Promise<NodeHeader> {
  const stored = await store.get(key);
  if (!stored) throw new BackupDamaged(`${key}: it is gone`);
  const got = createHash('sha256').update(stored.body).digest('hex');
  if (got !== source.headerSha256) {
    throw new BackupDamaged(`${key}: got SHA-256 ${got}, expected ${source.headerSha256}`);
  }
  return parseDocument(nodeHeader, stored.body.toString(), key);
}

async function fetchVerified(
  { store }: ReadContext,
  key: string,
  sha256: string,
  path: string,
): Promise<void> {
  const stored = await store.getStream(key);
  if (!stored) throw new BackupDamaged(`${key}: it is gone`);
  const hash = createHash('sha256');
  const counted = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(stored.body, counted, createWriteStream(path, { mode: 0o600 }));
  const got = hash.digest('hex');
  if (got !== sha256) throw new BackupDamaged(`${key}: got SHA-256 ${got}, expected ${sha256}`);
}

async function* readListing(path: string, key: string): AsyncGenerator<ListedFile> {
  const gunzip = createReadStream(path).pipe(createGunzip());
  let number = 0;
  for await (const line of linesOf(gunzip)) {
    number += 1;
    const parsed = listedFile.safeParse(jsonIfAny(line));
    if (!parsed.success) throw new BackupDamaged(`${key}, line ${number}: ${describeIssues(parsed.error)}`);
    yield parsed.data;
  }
}
