// Which Cassandra runs locally, and where its jars come from: Maven Central, through the user's own Maven.
import { fetchJars } from '../servers/maven.ts';

/** Pinned: what was run is what runs. The first is the default. */
export const CASSANDRA_VERSIONS = ['5.0.9', '4.1.10'] as const;
export type CassandraVersion = (typeof CASSANDRA_VERSIONS)[number];

/** What its distribution has and its pom does not ask for: the driver of the bulk loader. */
const MORE: Partial<Record<CassandraVersion, string[]>> = {
  '4.1.10': ['com.datastax.cassandra:cassandra-driver-core:3.11.5:shaded'],
};

/** The directory with all jars of one Cassandra. @throws LocalToolFailed */
export function cassandraJars(version: CassandraVersion): Promise<string> {
  return fetchJars({
    coordinates: [`org.apache.cassandra:cassandra-all:${version}`],
    alone: MORE[version] ?? [],
  });
}
