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

/** @throws NodeDown RingDisagreement SchemaDisagreement */
export async function liveSchema(
  ports: StepPorts,
  run: RunRef,
  described: readonly DescribedHost[],
): Promise<SchemaView> {
  const up = described.flatMap((each) => upHost(each) ?? []);
  requireOneSchema(up);
  const { instanceArn } = requireOneRing(up).host;
  return readSchema(ports, { instanceArn, actionId: actionIdOf(run.runId, 'describe') });
}

export function knownHosts(described: readonly DescribedHost[]) {
  return described.map(({ host, result }) => ({ instanceId: host.instanceId, hostId: result.hostId }));
}

export async function readLive(
  ports: StepPorts,
  run: RunRef,
  now: {
    described: DescribedHost[];
    cluster: ClusterConfiguration;
    backup: RestorableBackup;
    onlyBackedUpDatacenters: boolean;
  },
): Promise<Live> {
  const { described, cluster, backup, onlyBackedUpDatacenters } = now;
  const up = described.flatMap((each) => upHost(each) ?? []);
  if (up.length === 0) return { described, up, difference: undefined, schema: undefined };
  requireDatacenters(up, cluster.datacenters);
  const { host } = requireOneRing(up);
  requireOneSchema(up);
  const by = { instanceArn: host.instanceArn, actionId: actionIdOf(run.runId, 'describe') };
  requireSameRing(await readRing(ports, by), backup);
  const schema = await readSchema(ports, by);
  const restored = onlyBackedUpDatacenters
    ? replicatedOnlyIn(backup.schema, schema, backedUpDatacenters(backup))
    : backup.schema;
  return { described, up, difference: compareSchemas(restored, schema), schema };
}
