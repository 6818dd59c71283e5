// What of a backup is downloaded: nodes, tables, and files by their path in the listing. Pure.
import type { BackupSource, TableRef } from '../../contracts/actions.ts';
import { BackupDamaged, NothingSelected } from '../../contracts/errors.ts';
import type { ListedFile, NodeHeader } from '../../contracts/manifests.ts';
import { isSystemKeyspace } from '../../contracts/ring.ts';
import type { TablePatterns } from '../../contracts/selection.ts';
import type { RestorableBackup } from '../../lambdas/planning/restorable-backup.ts';
import { partsOf } from '../../lambdas/planning/restore-nodes.ts';
import { selectTables } from '../../lambdas/planning/selected-tables.ts';
import { filesOfTables } from '../../node-scripts/transfer/placement.ts';
import type { NodeBackup } from '../../node-scripts/transfer/read-backup.ts';

export interface ChosenNode {
  hostId: string;
  /** On which it was backed up. */
  instanceId: string;
  /** The base first. */
  sources: BackupSource[];
}

/** @param wanted instance or host IDs; all without it @throws NothingSelected BackupDamaged */
export function chosenNodes(backup: RestorableBackup, wanted?: readonly string[]): ChosenNode[] {
  const { backupId } = backup.manifest;
  const nodes = backup.manifest.nodes.map(({ hostId, instanceArn }) => ({
    hostId,
    instanceId: instanceArn.slice(instanceArn.lastIndexOf('/') + 1),
  }));
  const unknown = wanted?.filter(
    (id) => !nodes.some(({ hostId, instanceId }) => id === hostId || id === instanceId),
  );
  if (unknown && unknown.length > 0) {
    const known = nodes.map(({ hostId, instanceId }) => `${instanceId} (${hostId})`);
    throw new NothingSelected(
      `--node: got ${unknown.join(', ')}, expected instance or host IDs of backup ${backupId}: ${known.join(', ')}`,
    );
  }
  return nodes
    .filter(({ hostId, instanceId }) => !wanted || wanted.includes(hostId) || wanted.includes(instanceId))
    .map((node) => {
      const parts = partsOf(backup, node.hostId);
      if (parts.length < backup.chain.length) {
        throw new BackupDamaged(
          `backup ${backupId}: got no part of node ${node.hostId} in a backup that it goes on from`,
        );
      }
      return { ...node, sources: parts.map(({ source }) => source) };
    });
}

export interface ChosenFiles {
  warnings: string[];
  /** Of one node, in the order of its listing. */
  of(node: NodeBackup): AsyncGenerator<ListedFile>;
}

interface Wanted extends TablePatterns {
  /** Of `<keyspace>/<table>-<id>/<file>`. */
  prefix?: string;
}

/**
 * Patterns are of the users' tables, as those of a backup are. Cassandra's own are left out unless the prefix names one of its
 * keyspaces; of a chain these are in the base alone.
 * @throws NothingSelected
 */
export function chosenFiles(
  { schema }: Pick<RestorableBackup, 'schema'>,
  { prefix = '', ...patterns }: Wanted,
): ChosenFiles {
  const { tables, warnings } = selectTables(schema.tables, patterns);
  const ofUsers = tables.map(({ keyspace, name, id }) => ({ keyspace, table: name, tableId: id }));
  const isOfSystem = patterns.include === undefined && isSystemKeyspace(prefix.replace(/\/.*/s, ''));
  const tablesOf = ({ tables: all }: NodeHeader): TableRef[] =>
    isOfSystem ? [...ofUsers, ...all.filter(({ keyspace }) => isSystemKeyspace(keyspace))] : ofUsers;
  return {
    warnings,
    async *of({ header, files }) {
      for await (const file of filesOfTables(files(), tablesOf(header))) {
        if (file.path.startsWith(prefix)) yield file;
      }
    },
  };
}
