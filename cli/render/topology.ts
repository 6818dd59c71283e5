// What clusters are registered as, for stdout.
import type { Registered, RegisteredSummary } from '../../contracts/registrations.ts';
import { formatTime } from './format.ts';
import { table } from './tables.ts';

export function clustersTable(
  clusters: readonly { clusterId: string; registration: RegisteredSummary | null }[],
): string {
  return table(
    ['CLUSTER', 'NAME', 'NODES', 'DATACENTERS', 'VERSIONS', 'KEYSPACES', 'REGISTERED', 'LAST CHANGED'],
    clusters.map(({ clusterId, registration: found }) => [
      clusterId,
      found?.clusterName ?? '',
      found?.nodes.toString() ?? '',
      found?.datacenters.join(', ') ?? '',
      found?.cassandraVersions.join(', ') ?? '',
      found?.keyspaces.toString() ?? '',
      found ? formatTime(found.registeredAt) : 'not registered',
      found ? formatTime(found.seenAt) : '',
    ]),
  );
}

export function registrationText({ clusterId, registeredAt, seenAt, runId, topology }: Registered): string {
  const { clusterName, partitioner, schemaVersion, keyspaces, nodes } = topology;
  return [
    `cluster     ${clusterId} (${clusterName})`,
    `registered  ${formatTime(registeredAt)}; as below since ${formatTime(seenAt)}, run ${runId}`,
    `partitioner ${partitioner}`,
    `schema      ${schemaVersion}`,
    `keyspaces   ${keyspaces.join(', ')}`,
    '',
    table(
      ['HOST ID', 'INSTANCE', 'ADDRESS', 'DATACENTER', 'RACK', 'TOKENS', 'VERSION', 'DATA DIRECTORIES'],
      nodes.map((node) => [
        node.hostId,
        node.instanceId,
        node.address,
        node.datacenter,
        node.rack,
        node.tokens.length.toString(),
        node.cassandraVersion,
        node.dataDirectories.join(', '),
      ]),
    ),
  ].join('\n');
}
