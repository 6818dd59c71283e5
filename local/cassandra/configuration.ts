// The files of a node's conf directory: cassandra.yaml and what else Cassandra reads from its class path.
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { CassandraVersion } from './jars.ts';

export interface NodeOptions {
  /** The node's own directory, absolute: configuration, data, logs, scripts. */
  directory: string;
  version: CassandraVersion;
  clusterName: string;
  /** 127.x.y.n: storage port 7000 and CQL port 9042 are on it. */
  address: string;
  seeds: string[];
  datacenter: string;
  rack: string;
  tokens: string[];
  /** `data`, `data2`, …: how many data_file_directories. */
  dataDirectories: number;
  authentication: boolean;
  /** On 127.0.0.1. */
  jmxPort: number;
}

export function dataDirectoriesOf(options: NodeOptions): string[] {
  return Array.from({ length: options.dataDirectories }, (_, index) =>
    join(options.directory, index === 0 ? 'data' : `data${index + 1}`),
  );
}

/** File name below `conf/` → content. */
export function configurationFiles(options: NodeOptions): Record<string, string> {
  return {
    'cassandra.yaml': stringify(cassandraYaml(options)),
    'cassandra-rackdc.properties': `dc=${options.datacenter}\nrack=${options.rack}\n`,
    // Cassandra wants the file; nothing in it means no archiving.
    'commitlog_archiving.properties': 'archive_command=\n',
    'logback.xml': logbackToFile(join(options.directory, 'logs', 'system.log')),
    'logback-tools.xml': logbackToStandardError(),
  };
}

function cassandraYaml(options: NodeOptions): Record<string, unknown> {
  const { directory } = options;
  return {
    cluster_name: options.clusterName,
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    endpoint_snitch: 'GossipingPropertyFileSnitch',
    listen_address: options.address,
    rpc_address: options.address,
    num_tokens: options.tokens.length,
    initial_token: options.tokens.join(','),
    auto_bootstrap: false,
    seed_provider: [
      {
        class_name: 'org.apache.cassandra.locator.SimpleSeedProvider',
        parameters: [{ seeds: options.seeds.join(',') }],
      },
    ],
    data_file_directories: dataDirectoriesOf(options),
    commitlog_directory: join(directory, 'commitlog'),
    hints_directory: join(directory, 'hints'),
    saved_caches_directory: join(directory, 'saved_caches'),
    cdc_raw_directory: join(directory, 'cdc_raw'),
    commitlog_sync: 'periodic',
    commitlog_sync_period: '10000ms',
    // What waits for it in tests need not wait long.
    hints_flush_period: '1s',
    // Who reads at ONE from a node is answered from its own data, not from those of whoever was quicker lately.
    dynamic_snitch: false,
    authenticator: options.authentication ? 'PasswordAuthenticator' : 'AllowAllAuthenticator',
    authorizer: options.authentication ? 'CassandraAuthorizer' : 'AllowAllAuthorizer',
    materialized_views_enabled: true,
    auto_snapshot: false,
    // As in the cassandra.yaml that Cassandra ships; what is used without it is "ignore".
    disk_failure_policy: 'stop',
    commit_failure_policy: 'stop',
    ...smallness(options.version),
  };
}

/** Three nodes share a laptop's memory and cores. */
function smallness(version: CassandraVersion): Record<string, unknown> {
  return {
    concurrent_reads: 4,
    concurrent_writes: 8,
    concurrent_counter_writes: 4,
    concurrent_materialized_view_writes: 4,
    concurrent_compactors: 1,
    commitlog_segment_size: '8MiB',
    file_cache_size: '32MiB',
    networking_cache_size: '16MiB',
    key_cache_size: '2MiB',
    memtable_heap_space: '64MiB',
    memtable_offheap_space: '64MiB',
    read_request_timeout: '15s',
    range_request_timeout: '30s',
    // A restore of some tables waits twice as long for writes under way.
    write_request_timeout: '4s',
    counter_write_request_timeout: '15s',
    // Of all other requests, gossip's echo among them: nodes that drain at once wait for an answer that never comes.
    request_timeout: '5s',
    // At this heap an index build with the default buffer runs out of memory.
    ...(version.startsWith('4.') ? {} : { sai_options: { segment_write_buffer_size: '16MiB' } }),
  };
}

function logbackToFile(path: string): string {
  return `<configuration>
  <appender name="FILE" class="ch.qos.logback.core.FileAppender">
    <file>${escapeXml(path)}</file>
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE" /></root>
</configuration>
`;
}

function logbackToStandardError(): string {
  return `<configuration>
  <appender name="STDERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%-5level %date{ISO8601} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="STDERR" /></root>
</configuration>
`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
