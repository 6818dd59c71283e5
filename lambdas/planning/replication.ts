// Keyspaces that are created again where not all of their datacenters are restored. Pure.
import type { SchemaStatement, SchemaView } from '../../contracts/ring.ts';
import { isOfSameName, replicationOf } from './schema-conflicts.ts';

/**
 * The backup's schema, with keyspaces replicated in these datacenters alone; but a keyspace that still is, and as the backup
 * has it, stays so.
 */
export function replicatedOnlyIn(
  backup: SchemaView,
  live: SchemaView,
  datacenters: ReadonlySet<string>,
): SchemaView {
  const statements = backup.statements.map((each) => {
    if (each.type !== 'keyspace') return each;
    const now = live.statements.find((other) => isOfSameName(other, each));
    const isAsItWas = now && replicationOf(now.statement) === replicationOf(each.statement);
    return isAsItWas ? each : { ...each, statement: onlyIn(each.statement, datacenters) };
  });
  return { ...backup, statements };
}

/** In words, what is left to do for keyspaces that are made with fewer replicas than they had. @param made statements that are applied */
export function narrowedWarnings(backup: SchemaView, made: readonly SchemaStatement[]): string[] {
  return made.flatMap((each) => {
    const was = backup.statements.find((other) => each.type === 'keyspace' && isOfSameName(other, each));
    const [then, now] = [was, each].map((of) => replicationOf(of?.statement ?? ''));
    if (!was || then === now) return [];
    return [
      `keyspace ${each.name} is made with replication ${now}. For its other replicas, once their datacenters are to have it: ALTER KEYSPACE ${each.name} WITH replication = ${then}; then nodetool rebuild -ks ${each.name} -- <a datacenter that has it> on each of their nodes`,
    ];
  });
}

/** Of a keyspace, by its statement; of those that know of no datacenters anywhere, as many in each. */
export function replicasIn(statement: string, datacenter: string): number {
  const entries = entriesOf(replicationOf(statement));
  const replicas = isNetworkTopology(entries)
    ? entries.find(({ name }) => name === datacenter)?.value
    : (entries.find(({ name }) => name === 'replication_factor')?.value ?? '1');
  // Of transient replication the first number counts all.
  return Number.parseInt(replicas ?? '0', 10) || 0;
}

interface Entry {
  entry: string;
  name: string;
  value: string;
}

function entriesOf(replication: string): Entry[] {
  return [...replication.matchAll(/'((?:[^']|'')*)'\s*:\s*'((?:[^']|'')*)'/g)].map(
    ([entry, name = '', value = '']) => ({ entry, name: name.replaceAll("''", "'"), value }),
  );
}

/** Whether a keyspace's statement tells replicas by datacenter. */
export const isByDatacenter = (statement: string) => isNetworkTopology(entriesOf(replicationOf(statement)));

const isNetworkTopology = (entries: Entry[]) =>
  entries.some(({ name, value }) => name === 'class' && value.endsWith('NetworkTopologyStrategy'));

/** A keyspace that none of the datacenters replicates, or that knows of no datacenters, stays as it is. */
function onlyIn(statement: string, datacenters: ReadonlySet<string>): string {
  const replication = replicationOf(statement);
  const entries = entriesOf(replication);
  const kept = entries.filter(({ name }) => name === 'class' || datacenters.has(name));
  if (!isNetworkTopology(entries) || kept.length < 2) return statement;
  return statement.replace(replication, () => `{${kept.map(({ entry }) => entry).join(', ')}}`);
}
