// What of a backup is restored, where a request chose from it. Pure.
import { NothingSelected } from '../../contracts/errors.ts';
import type { Host } from '../../contracts/plans.ts';
import type { Selection } from '../../contracts/selection.ts';
import { type RestorableBackup, schemaOf } from './restorable-backup.ts';
import { selectTables } from './selected-tables.ts';

/** Which node a host has, as far as that is known. */
type KnownHost = Pick<Host, 'instanceId'> & { hostId?: string | undefined };

/**
 * The same backup, of fewer nodes and tables.
 * @throws NothingSelected where what was chosen is not in the backup
 */
export function restoredPart(
  backup: RestorableBackup,
  chosen: Selection,
  hosts: readonly KnownHost[],
): RestorableBackup {
  const { tables, warnings } = selectTables(backup.schema.tables, chosen.keyspaces);
  // What was meant to be kept would be replaced.
  if (warnings.length > 0)
    throw new NothingSelected(`${warnings.join('; ')} of backup ${backup.manifest.backupId}`);
  const indexes = chosenNodes(backup, chosen, hosts);
  const { manifest } = backup;
  return {
    ...backup,
    manifest: {
      ...manifest,
      nodes: manifest.nodes.filter((_, index) => indexes.has(index)),
      leftOut: {
        nodes: manifest.leftOut.nodes + manifest.nodes.length - indexes.size,
        tables: manifest.leftOut.tables + backup.schema.tables.length - tables.length,
      },
    },
    headers: backup.headers.filter((_, index) => indexes.has(index)),
    schema: schemaOf(backup.schema, tables),
  };
}

/** Indexes of the manifest's nodes. */
function chosenNodes(
  { manifest, headers }: RestorableBackup,
  { nodes, datacenter }: Selection,
  hosts: readonly KnownHost[],
): Set<number> {
  const known = manifest.nodes.map(({ hostId, instanceArn }, index) => ({
    index,
    hostId,
    // A host that does not know its node any more is taken for that which it had.
    instanceId:
      hosts.find((host) => host.hostId === hostId)?.instanceId ??
      instanceArn.slice(instanceArn.lastIndexOf('/') + 1),
    datacenter: headers[index]?.datacenter,
  }));
  const there = known.filter((node) => datacenter === undefined || node.datacenter === datacenter);
  if (there.length === 0) {
    const datacenters = [...new Set(known.map((node) => node.datacenter))].join(', ');
    throw new NothingSelected(
      `datacenter: got "${datacenter}", expected one that backup ${manifest.backupId} has nodes of: ${datacenters}`,
    );
  }
  if (!nodes) return new Set(there.map(({ index }) => index));
  const found = nodes.map((id) => ({
    id,
    index: there.find(({ hostId, instanceId }) => hostId === id || instanceId === id)?.index,
  }));
  const unknown = found.filter(({ index }) => index === undefined).map(({ id }) => id);
  if (unknown.length > 0) {
    const expected = there.map(({ instanceId, hostId }) => `${instanceId} (${hostId})`).join(', ');
    throw new NothingSelected(
      `nodes: got ${unknown.join(', ')}, expected instance or host IDs of backup ${manifest.backupId}: ${expected}`,
    );
  }
  return new Set(found.flatMap(({ index }) => index ?? []));
}
