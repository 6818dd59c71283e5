// The cluster that a restore is of, as it is now.
import type { ClusterConfiguration } from '../../contracts/configuration.ts';
import { actionIdOf } from '../../contracts/identifiers.ts';
import type { RingView, SchemaView } from '../../contracts/ring.ts';
import type { RunRef } from '../../contracts/runs.ts';
import { readRing, readSchema } from '../vault/results.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import {
  type DescribedHost,
  requireDatacenters,
  requireOneRing,
  requireOneSchema,
  type UpHost,
  upHost,
} from './agreement.ts';
import { replicatedOnlyIn } from './replication.ts';
import type { RestorableBackup } from './restorable-backup.ts';
import { backedUpDatacenters, requireSameRing } from './restore-nodes.ts';
import { compareSchemas, type SchemaDifference } from './schema-difference.ts';

/** The cluster as it is now. `difference` and `schema` are undefined where no node is up to tell its schema. */
export interface Live {
  described: DescribedHost[];
  up: UpHost[];
  difference: SchemaDifference | undefined;
  schema: SchemaView | undefined;
}

export async function liveRing(
  ports: StepPorts,
  run: RunRef,
  described: readonly DescribedHost[],
): Promise<RingView> {
  const { host } = requireOneRing(described.flatMap((each) => upHost(each) ?? []));
  const actionId = actionIdOf(run.runId, 'describe');
  return readRing(ports, { instanceArn: host.instanceArn, actionId });
}

/** What the nodes agree on. */
export interface Now {
  ring: RingView;
  schema: SchemaView;
}

/** @throws NodeDown RingDisagreement SchemaDisagreement */
export async function readNow(
  ports: StepPorts,
  run: RunRef,
  described: readonly DescribedHost[],
): Promise<Now> {
  const up = described.flatMap((each) => upHost(each) ?? []);
  const { host } = requireOneRing(up);
  requireOneSchema(up);
  const by = { instanceArn: host.instanceArn, actionId: actionIdOf(run.runId, 'describe') };
  return { ring: await readRing(ports, by), schema: await readSchema(ports, by) };
}

export function knownHosts(described: readonly DescribedHost[]) {
  return described.map(({ host, result }) => ({ instanceId: host.instanceId, hostId: result.hostId }));
}

export async function readLive(
  ports: StepPorts,
  run: RunRef,
  asIs: {
    described: DescribedHost[];
    cluster: ClusterConfiguration;
    backup: RestorableBackup;
    onlyBackedUpDatacenters: boolean;
  },
  now?: Now,
): Promise<Live> {
  const { described, cluster, backup, onlyBackedUpDatacenters } = asIs;
  const up = described.flatMap((each) => upHost(each) ?? []);
  if (up.length === 0) return { described, up, difference: undefined, schema: undefined };
  requireDatacenters(up, cluster.datacenters);
  const { ring, schema } = now ?? (await readNow(ports, run, described));
  requireSameRing(ring, backup);
  const restored = onlyBackedUpDatacenters
    ? replicatedOnlyIn(backup.schema, schema, backedUpDatacenters(backup))
    : backup.schema;
  return { described, up, difference: compareSchemas(restored, schema), schema };
}
