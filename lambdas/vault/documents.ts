// Reading and writing the vault's JSON documents.
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import {
  type ClusterConfiguration,
  type DeployedConfiguration,
  deployedConfiguration,
} from '../../contracts/configuration.ts';
import { parseDocument } from '../../contracts/documents.ts';
import { BackupDamaged, InvalidDocument, ManifestConflict } from '../../contracts/errors.ts';
import { type Host, hostList } from '../../contracts/plans.ts';
import type { RunRef } from '../../contracts/runs.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

type Vault = Pick<StepPorts, 'vault'>;

export function sha256Of(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The bytes that a document is stored as; equal values of one shape are equal bytes. */
export function serialize(document: unknown): string {
  return `${JSON.stringify(document, null, 1)}\n`;
}

export async function findDocument<Schema extends z.ZodType>(
  { vault }: Vault,
  key: string,
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  const stored = await vault.get(key);
  return stored && parseDocument(schema, stored.body.toString(), key);
}

/** @throws InvalidDocument where there is none */
export async function readDocument<Schema extends z.ZodType>(
  ports: Vault,
  key: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const found = await findDocument(ports, key, schema);
  if (found === undefined) throw new InvalidDocument(`got nothing under ${key}, expected a document`);
  return found;
}

/** @throws BackupDamaged where there is none, or one with another SHA-256 */
export async function readPinned<Schema extends z.ZodType>(
  ports: Vault,
  key: string,
  sha256: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  return parseDocument(schema, (await readPinnedBytes(ports, key, sha256)).toString(), key);
}

/** @throws BackupDamaged where there is nothing, or something with another SHA-256 */
export async function readPinnedBytes({ vault }: Vault, key: string, sha256: string): Promise<Buffer> {
  const stored = await vault.get(key);
  const got = stored ? `one of SHA-256 ${sha256Of(stored.body)}` : 'nothing';
  if (!stored || sha256Of(stored.body) !== sha256) {
    throw new BackupDamaged(`${key}: got ${got}, expected a document of SHA-256 ${sha256}`);
  }
  return stored.body;
}

/** Creates what a retry creates again with the same bytes. @throws ManifestConflict where others stand there */
export async function createOnce({ vault }: Vault, key: string, body: string): Promise<void> {
  if ((await vault.put(key, body, 'create')) === 'created') return;
  const stored = await vault.get(key);
  if (stored?.body.toString() === body) return;
  throw new ManifestConflict(`${key}: got other bytes than this run’s, expected none or the same`);
}

/** What the run works by, whatever was deployed since. */
export async function readConfiguration(ports: Vault, run: RunRef): Promise<ClusterConfiguration> {
  return (await readDeployed(ports, run)).cluster;
}

/** The same, with the vaults that it may restore from. */
export function readDeployed(ports: Vault, run: RunRef): Promise<DeployedConfiguration> {
  return readDocument(ports, run.configurationKey, deployedConfiguration);
}

export async function readHosts(ports: Vault, hostsKey: string): Promise<Host[]> {
  return readDocument(ports, hostsKey, hostList);
}

/** @returns its key */
export async function writeHosts(
  { vault, layout }: Pick<StepPorts, 'vault' | 'layout'>,
  run: RunRef,
  name: string,
  hosts: readonly Host[],
): Promise<string> {
  const key = layout.hosts(run.clusterId, run.runId, name);
  const items = hosts.map(({ instanceId, instanceArn, hostId }) => ({ instanceId, instanceArn, hostId }));
  await vault.put(key, serialize(items), 'overwrite');
  return key;
}

/** @returns its key, or "" where there is nothing to list: of a Map over an empty list nothing is promised */
export async function writeHostsIfAny(
  ports: Pick<StepPorts, 'vault' | 'layout'>,
  run: RunRef,
  name: string,
  hosts: readonly Host[],
): Promise<string> {
  return hosts.length === 0 ? '' : writeHosts(ports, run, name, hosts);
}
