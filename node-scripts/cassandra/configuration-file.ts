// What cassandra.yaml says of one node: its directories, its address, its seeds.
import { realpath } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { describeIssues } from '../../contracts/documents.ts';
import { InvalidConfiguration } from '../../contracts/errors.ts';
import { readIfThere } from '../durable-files.ts';

const text = z.string().nullish();
const cassandraYaml = z.looseObject({
  cluster_name: text,
  data_file_directories: z.array(z.string()).nullish(),
  local_system_data_file_directory: text,
  commitlog_directory: text,
  hints_directory: text,
  saved_caches_directory: text,
  rpc_address: text,
  rpc_interface: text,
  listen_address: text,
  listen_interface: text,
  broadcast_address: text,
  storage_compatibility_mode: text,
  endpoint_snitch: text,
  hints_flush_period: text,
  inter_dc_stream_throughput_outbound: text,
  /** Before 4.1, and taken since still. */
  inter_dc_stream_throughput_outbound_megabits_per_sec: z.number().nullish(),
  entire_sstable_stream_throughput_outbound: text,
  entire_sstable_inter_dc_stream_throughput_outbound: text,
  /** Before 4.1, and taken by it still. */
  hints_flush_period_in_ms: z.int().nullish(),
  seed_provider: z
    .array(z.looseObject({ parameters: z.array(z.looseObject({ seeds: z.string().optional() })).optional() }))
    .nullish(),
});

/** Directories that are not named here are where the node was told by its command line: ask the node. */
export interface ConfigurationFile {
  clusterName?: string | undefined;
  dataDirectories?: string[] | undefined;
  localSystemDirectory?: string | undefined;
  commitLogDirectory?: string | undefined;
  hintsDirectory?: string | undefined;
  savedCachesDirectory?: string | undefined;
  /** Where this host reaches the node's CQL port. */
  cqlAddress: string;
  /** Under which the ring may know the node. */
  ownAddresses: string[];
  seeds: string[];
  storageCompatibilityMode?: string | undefined;
  snitch?: string | undefined;
  /** For so long hints may be in memory alone. */
  hintsFlushPeriodMs: number;
  /** MiB/s, what the node streams at besides `stream_throughput_outbound`; 0: as fast as it can. */
  streamRates: { interDatacenter: number; wholeSSTables: number; wholeSSTablesInterDatacenter: number };
}

/** @throws InvalidConfiguration */
export async function readConfigurationFile(path: string): Promise<ConfigurationFile> {
  const content = await readIfThere(path);
  if (content === undefined) {
    throw new InvalidConfiguration(`cassandra.configFile: there is no ${path} on this host`);
  }
  let yaml: unknown;
  try {
    yaml = parse(content);
  } catch (cause) {
    throw new InvalidConfiguration(`cassandra.configFile: ${path} is not YAML`, { cause });
  }
  const parsed = cassandraYaml.safeParse(yaml);
  if (!parsed.success) {
    throw new InvalidConfiguration(`cassandra.configFile: ${path}: ${describeIssues(parsed.error)}`);
  }
  return configurationOf(parsed.data, dirname(path));
}

/**
 * Where the node takes itself to be, by the file that GossipingPropertyFileSnitch reads; of any other snitch it is not known before
 * Cassandra runs. @param path of cassandra.yaml
 */
export async function readPlace(
  path: string,
  { snitch }: Pick<ConfigurationFile, 'snitch'>,
): Promise<{ datacenter: string; rack: string } | undefined> {
  if (!snitch?.endsWith('GossipingPropertyFileSnitch')) return undefined;
  const beside = (file: string) => readIfThere(join(dirname(file), 'cassandra-rackdc.properties'));
  const content = (await beside(path)) ?? (await beside(await realpath(path)));
  const property = (key: string) =>
    new RegExp(`^[ \\t]*${key}[ \\t]*[=:][ \\t]*(.*?)[ \\t]*$`, 'm').exec(content ?? '')?.[1];
  const [datacenter, rack] = [property('dc'), property('rack')];
  return datacenter && rack ? { datacenter, rack } : undefined;
}

function configurationOf(yaml: z.infer<typeof cassandraYaml>, directory: string): ConfigurationFile {
  const absolute = (path: string | null | undefined) =>
    path ? (isAbsolute(path) ? path : join(directory, path)) : undefined;
  const rpc = yaml.rpc_address ?? addressOf(yaml.rpc_interface) ?? 'localhost';
  const listen = yaml.listen_address ?? addressOf(yaml.listen_interface) ?? 'localhost';
  return {
    clusterName: yaml.cluster_name ?? undefined,
    dataDirectories: yaml.data_file_directories?.flatMap((path) => absolute(path) ?? []),
    localSystemDirectory: absolute(yaml.local_system_data_file_directory),
    commitLogDirectory: absolute(yaml.commitlog_directory),
    hintsDirectory: absolute(yaml.hints_directory),
    savedCachesDirectory: absolute(yaml.saved_caches_directory),
    cqlAddress: ['0.0.0.0', '::'].includes(rpc) ? '127.0.0.1' : rpc,
    ownAddresses: [listen, ...(yaml.broadcast_address ? [yaml.broadcast_address] : [])],
    seeds: (yaml.seed_provider ?? [])
      .flatMap((provider) => provider.parameters ?? [])
      .flatMap((parameters) => (parameters.seeds ?? '').split(','))
      // A seed may carry the storage port.
      .map((seed) => seed.trim().replace(/^([^:]+):\d+$/, '$1'))
      .filter((seed) => seed !== ''),
    storageCompatibilityMode: yaml.storage_compatibility_mode ?? undefined,
    snitch: yaml.endpoint_snitch ?? undefined,
    hintsFlushPeriodMs:
      yaml.hints_flush_period_in_ms ?? durationMs(yaml.hints_flush_period) ?? HINTS_FLUSH_PERIOD_MS,
    streamRates: {
      interDatacenter: mebibytes(
        yaml.inter_dc_stream_throughput_outbound,
        yaml.inter_dc_stream_throughput_outbound_megabits_per_sec,
      ),
      wholeSSTables: mebibytes(yaml.entire_sstable_stream_throughput_outbound),
      wholeSSTablesInterDatacenter: mebibytes(yaml.entire_sstable_inter_dc_stream_throughput_outbound),
    },
  };
}

/** Cassandra's default. */
const HINTS_FLUSH_PERIOD_MS = 10_000;
const UNITS_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Cassandra's default of each rate at which it streams, MiB/s. */
const STREAM_RATE = 24;
const RATES_MIB: Record<string, number> = { B: 1 / 1_048_576, KiB: 1 / 1_024, MiB: 1 };

/** "24MiB/s"; less than one is one, since 0 is no limit. */
function mebibytes(rate: string | null | undefined, megabits?: number | null): number {
  if (typeof megabits === 'number')
    return megabits === 0 ? 0 : Math.max(1, Math.round((megabits * 125_000) / 1_048_576));
  const [, amount = '', unit = ''] = /^(\d+)\s*([KM]i?B|B)\/s$/.exec(rate ?? '') ?? [];
  const factor = RATES_MIB[unit];
  if (factor === undefined) return STREAM_RATE;
  return amount === '0' ? 0 : Math.max(1, Math.round(Number(amount) * factor));
}

/** "10000ms", "10s". */
function durationMs(duration: string | null | undefined): number | undefined {
  const [, amount = '', unit = ''] = /^(\d+)\s*([a-z]+)$/.exec(duration ?? '') ?? [];
  const unitMs = UNITS_MS[unit];
  return unitMs === undefined ? undefined : Number(amount) * unitMs;
}

function addressOf(networkInterface: string | null | undefined): string | undefined {
  if (!networkInterface) return undefined;
  return networkInterfaces()[networkInterface]?.find((each) => each.family === 'IPv4')?.address;
}
