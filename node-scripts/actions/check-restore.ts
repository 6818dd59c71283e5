// check-restore: whatever refuses a restore on this host, found before anything is changed.

import { lookup } from 'node:dns/promises';
import { stat, statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import {
  CassandraUnavailable,
  IncompatibleVersion,
  InsufficientSpace,
  InvalidConfiguration,
  TopologyMismatch,
} from '../../contracts/errors.ts';
import type { NodeHeader } from '../../contracts/manifests.ts';
import { type ConfigurationFile, readConfigurationFile, readPlace } from '../cassandra/configuration-file.ts';
import { withCql } from '../cassandra/cql.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import { rememberedIdentity } from '../cassandra/identity.ts';
import { canonicalAddress } from '../cassandra/nodetool.ts';
import { readOwnNode } from '../cassandra/ring.ts';
import { parseTableDirectory } from '../cassandra/sstable-files.ts';
import { readableFormats } from '../cassandra/versions.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';
import { mustHaveNoNode } from '../new-host.ts';
import { contentIn } from '../swap/place-tables.ts';
import { keptBytes } from '../transfer/kept-staging.ts';
import { filesOfTables, mapDataDirectories } from '../transfer/placement.ts';
import { readNodeChain } from '../transfer/read-chain.ts';
import { inVaultOf } from '../transfer/source-vault.ts';

export async function checkRestore(
  context: ActionContext,
  input: ActionInput<'check-restore'>,
): Promise<ActionOutput<'check-restore'>> {
  await mustBeAllowed(context);
  const directories = await nodeDirectories(context);
  const { data } = directories;
  if (!input.newHost) await mustHaveIdentity(data);
  const backup = await readNodeChain(inVaultOf(context, input.sources), input.sources);
  if (input.newHost) await mustTakeNode(context, input.newHost, backup.header);
  await mustReadFormats(context, backup.header, input.newHost?.readableFormats);
  const mapped = mapDataDirectories(backup.header, directories);
  const bytes = new Map<string, number>(data.map((path) => [path, 0]));
  // Files of one name in several directories follow each other.
  let last = { path: '', directories: new Set<string>() };
  for await (const file of filesOfTables(backup.files(), input.tables)) {
    const directory = mapped[file.dataDirectory] ?? '';
    if (last.path !== file.path) last = { path: file.path, directories: new Set() };
    if (last.directories.has(directory)) {
      throw new TopologyMismatch(
        `${file.path}: got ${data.length} data directories (${data.join(', ')}), expected ${backup.header.dataDirectories.join(', ')}: the backup has two files of this name, which would both go to ${directory}`,
      );
    }
    last.directories.add(directory);
    bytes.set(directory, (bytes.get(directory) ?? 0) + file.sizeBytes);
  }
  return mustHaveSpace(context, bytes);
}

async function mustTakeNode(
  context: ActionContext,
  { clusterName, replaces }: NonNullable<ActionInput<'check-restore'>['newHost']>,
  header: NodeHeader,
): Promise<void> {
  await mustHaveNoNode(await nodeDirectories(context));
  const path = context.paths.fixed(context.document.cassandra.configFile);
  const file = await readConfigurationFile(path);
  if (file.clusterName !== clusterName)
    throw new InvalidConfiguration(
      `${path}: got cluster_name ${JSON.stringify(file.clusterName)}, expected ${JSON.stringify(clusterName)}: Cassandra would not start with the node's own tables`,
    );
  if (replaces) await mustReplace(path, file, { replaces, header });
}

/** What Cassandra does not refuse of one that takes the place of another. @throws InvalidConfiguration */
async function mustReplace(
  path: string,
  file: ConfigurationFile,
  { replaces, header }: { replaces: string; header: NodeHeader },
): Promise<void> {
  const interfaces = Object.values(networkInterfaces()).flatMap((own = []) => own);
  const own = [...file.ownAddresses, ...interfaces.map(({ address }) => address)].map(canonicalAddress);
  if (own.includes(canonicalAddress(replaces)))
    throw new InvalidConfiguration(
      `${path}: got ${replaces}, the address of the dead node, expected another: Cassandra would give it the old host ID. Without newHostId it comes back as what it was`,
    );
  // By whatever name.
  const seeds = await Promise.all(file.seeds.map((seed) => lookup(seed, { all: true }).catch(() => [])));
  if (seeds.flat().some(({ address }) => own.includes(canonicalAddress(address))))
    throw new InvalidConfiguration(
      `${path}: got the host among its own seeds (${file.seeds.join(', ')}), expected others alone until it has joined`,
    );
  const place = await readPlace(path, file);
  if (place && (place.datacenter !== header.datacenter || place.rack !== header.rack))
    throw new InvalidConfiguration(
      `${path}: got datacenter ${place.datacenter}, rack ${place.rack}, expected ${header.datacenter}, ${header.rack}: rows would belong to other nodes than have them`,
    );
}

/** A node knows its host ID and tokens by its own table system.local; started without it, it joins as another node. */
async function mustHaveIdentity(data: string[]): Promise<void> {
  for (const root of data) {
    const names = await contentIn(join(root, 'system'));
    if (names.some((name) => parseTableDirectory(name)?.table === 'local')) return;
  }
  throw new TopologyMismatch(
    `this host's node has lost its identity: got no directory of table system.local in ${data.join(', ')}, expected one; a restore in place brings back the tables of users, not a node. Bring the node back with deadNode (--dead-node) on a host that is empty`,
  );
}

/** @param ofOthers where the node cannot be asked */
async function mustReadFormats(
  context: ActionContext,
  header: NodeHeader,
  ofOthers: string[] | undefined,
): Promise<void> {
  const { formats, said } = ofOthers
    ? { formats: ofOthers, said: 'Cassandra on the other hosts' }
    : await ownFormats(context);
  const unreadable = header.sstableFormats.filter((format) => !formats.includes(format));
  if (unreadable.length === 0) return;
  throw new IncompatibleVersion(
    `the backup has SSTables of format ${unreadable.join(', ')}; ${said} reads ${formats.join(', ') || 'unknown'}`,
  );
}

async function ownFormats(context: ActionContext): Promise<{ formats: string[]; said: string }> {
  const version = await cassandraVersion(context);
  const file = await readConfigurationFile(context.paths.fixed(context.document.cassandra.configFile));
  const mode = file.storageCompatibilityMode;
  return {
    formats: version ? readableFormats(version, mode) : [],
    said: `Cassandra ${version ?? '(version unknown)'} with storage_compatibility_mode ${mode ?? 'its default'}`,
  };
}

async function cassandraVersion(context: ActionContext): Promise<string | undefined> {
  try {
    return (await withCql(context, readOwnNode)).cassandraVersion;
  } catch (error) {
    if (!(error instanceof CassandraUnavailable)) throw error;
    return (await rememberedIdentity(context.paths))?.cassandraVersion;
  }
}

/** Counted by file system: data directories may share one. */
async function mustHaveSpace(
  context: ActionContext,
  bytes: Map<string, number>,
): Promise<{ requiredBytes: number; freeBytes: number }> {
  const systems = new Map<number, { paths: string[]; requiredBytes: number; freeBytes: number }>();
  for (const [path, needed] of bytes) {
    const { dev } = await stat(path);
    const { bavail, bsize } = await statfs(path);
    const system = systems.get(dev) ?? { paths: [], requiredBytes: 0, freeBytes: bavail * bsize };
    system.paths.push(path);
    system.freeBytes += await keptBytes(context, path);
    system.requiredBytes += needed;
    systems.set(dev, system);
  }
  const { reserveBytes } = context.document.limits;
  let total = { requiredBytes: 0, freeBytes: 0 };
  for (const { paths, requiredBytes, freeBytes } of systems.values()) {
    if (requiredBytes + reserveBytes > freeBytes) {
      throw new InsufficientSpace(
        `${paths.join(', ')}: got ${freeBytes} bytes free, expected ${requiredBytes} for the restore and ${reserveBytes} in reserve`,
      );
    }
    total = { requiredBytes: total.requiredBytes + requiredBytes, freeBytes: total.freeBytes + freeBytes };
  }
  return total;
}
