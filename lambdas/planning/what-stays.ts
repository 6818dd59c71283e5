// What a restore leaves as it is, and what must be so that it loses no write by it: see ADR 0020. Pure.
import { NodeDown } from '../../contracts/errors.ts';
import type { RestorableBackup } from './restorable-backup.ts';
import type { MappedNode } from './restore-nodes.ts';
import type { SchemaDifference } from './schema-difference.ts';

export interface WhatStays {
  /** Tables of nodes that are restored: their writes may be in commit log, hints and batches alone. */
  tables: boolean;
  /** Nodes, whose hints may be on those that are restored. */
  nodes: boolean;
  /** Tables that are known to stay, for people. */
  names: string[];
}

/** @param difference undefined where no node is up to tell the schema of now */
export function whatStays(
  { manifest: { leftOut } }: Pick<RestorableBackup, 'manifest'>,
  difference: SchemaDifference | undefined,
): WhatStays {
  return {
    tables: leftOut.tables > 0 || (difference?.liveOnly.length ?? 0) > 0,
    nodes: leftOut.nodes > 0,
    names: difference?.liveOnly ?? [],
  };
}

/**
 * Of a node that is down the commit log goes aside undrained; hints for a member that is away go aside undelivered.
 * @throws NodeDown
 */
export function requireSettled(
  { tables, nodes: others, names }: WhatStays,
  nodes: readonly MappedNode[],
): void {
  const named = names.length > 0 ? ` (${names.join(', ')})` : '';
  const down = downNodes(nodes);
  if (tables && down.length > 0) {
    throw new NodeDown(
      `got ${down.join(', ')} down, expected every node up where tables stay as they are${named}. Writes to these may be in its commit log alone: start it first, so that it can be drained`,
    );
  }
  if (!tables && !others) return;
  // A node that is restored may itself be away.
  const restored = nodes.flatMap(({ described: { result } }) => result.address ?? []);
  const away = new Set(
    nodes
      .flatMap(({ described: { result } }) => (result.cassandra === 'up' ? (result.notUpNormal ?? []) : []))
      .filter((member) => !restored.some((address) => member.startsWith(`${address} `))),
  );
  if (away.size === 0) return;
  throw new NodeDown(
    `got ring members ${[...away].join(', ')}, expected all Up/Normal where tables or nodes stay as they are${named}: hints for them could not be delivered before the stop`,
  );
}

/** `<instance ID> (<why>)` */
export function downNodes(nodes: readonly MappedNode[]): string[] {
  return nodes
    .map(({ described }) => described)
    .filter(({ result }) => result.cassandra === 'down')
    .map(({ host, result }) => `${host.instanceId} (${result.downReason ?? 'unknown why'})`);
}
