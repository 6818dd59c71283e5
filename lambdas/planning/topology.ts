// A cluster's topology, put together from what each node said of itself.
import type { RegisteredNode, Topology } from '../../contracts/registrations.ts';
import { isSystemKeyspace, type RingView, type SchemaView } from '../../contracts/ring.ts';
import type { DescribedHost } from './agreement.ts';

interface Said {
  described: readonly DescribedHost[];
  ring: RingView;
  schema: SchemaView;
}

/** Of ring members that a host runs. */
export function topologyOf({ described, ring, schema }: Said): Topology {
  return {
    clusterName: ring.clusterName,
    partitioner: ring.partitioner,
    schemaVersion: schema.schemaVersion,
    keyspaces: keyspacesOf(schema),
    nodes: ring.nodes.flatMap((member): RegisteredNode[] => {
      const found = described.find(({ result }) => result.hostId === member.hostId)?.result;
      if (!found) return [];
      const { instanceId, cassandraVersion = '', dataDirectories } = found;
      return [
        { ...member, instanceId, cassandraVersion, dataDirectories: dataDirectories.map(({ path }) => path) },
      ];
    }),
  };
}

/** Statements name keyspaces as CQL does, in quotes where they need them. */
function keyspacesOf({ tables, statements }: SchemaView): string[] {
  const plain = (name: string) => name.replace(/^"(.*)"$/, '$1');
  const named = [...tables, ...statements].map(({ keyspace }) => plain(keyspace));
  return [...new Set(named)].filter((name) => !isSystemKeyspace(name)).sort();
}
