// What a cluster was found to be, kept by its registration: an immutable document in the vault, a summary in the catalog.
import { z } from 'zod';
import { FORMAT_VERSION } from './documents.ts';
import { clusterId, count, instanceId, isoTime, runId } from './identifiers.ts';
import { ringNode } from './ring.ts';

const registeredNode = ringNode.extend({
  /** Of the host that it runs on. */
  instanceId,
  cassandraVersion: z.string(),
  /** All of them, in the node's own order. */
  dataDirectories: z.array(z.string()).min(1),
});
export type RegisteredNode = z.infer<typeof registeredNode>;

const topology = z.strictObject({
  /** Cassandra's own cluster_name. */
  clusterName: z.string(),
  partitioner: z.string(),
  schemaVersion: z.uuid(),
  /** The user's, sorted. */
  keyspaces: z.array(z.string()),
  /** Sorted by host ID. */
  nodes: z.array(registeredNode).min(1),
});
export type Topology = z.infer<typeof topology>;

/** `registrations/<runId>.json`: what a run that completed found the cluster to be, or that it is to be forgotten. */
export const registration = z.discriminatedUnion('state', [
  z.strictObject({
    formatVersion: z.literal(FORMAT_VERSION),
    clusterId,
    runId,
    state: z.literal('registered'),
    /** When the cluster was registered first, since it was last forgotten. */
    registeredAt: isoTime,
    seenAt: isoTime,
    /** Against what was known before, in words. */
    changes: z.array(z.string()),
    topology,
  }),
  z.strictObject({
    formatVersion: z.literal(FORMAT_VERSION),
    clusterId,
    runId,
    state: z.literal('unregistered'),
    seenAt: isoTime,
  }),
]);
export type Registration = z.infer<typeof registration>;
export type Registered = Extract<Registration, { state: 'registered' }>;

/** The catalog's item: small, whatever the number of nodes. */
export const registrationSummary = z.discriminatedUnion('state', [
  z.strictObject({
    clusterId,
    /** Names the document. */
    runId,
    state: z.literal('registered'),
    registeredAt: isoTime,
    seenAt: isoTime,
    clusterName: z.string(),
    nodes: count,
    datacenters: z.array(z.string()),
    cassandraVersions: z.array(z.string()),
    keyspaces: count,
  }),
  z.strictObject({ clusterId, runId, state: z.literal('unregistered') }),
]);
export type RegistrationSummary = z.infer<typeof registrationSummary>;
export type RegisteredSummary = Extract<RegistrationSummary, { state: 'registered' }>;

export function summaryOf(document: Registration): RegistrationSummary {
  const { clusterId: id, runId: run } = document;
  if (document.state === 'unregistered') return { clusterId: id, runId: run, state: 'unregistered' };
  const { registeredAt, seenAt, topology: found } = document;
  const each = (values: string[]) => [...new Set(values)].sort();
  return {
    ...{ clusterId: id, runId: run, state: 'registered', registeredAt, seenAt },
    clusterName: found.clusterName,
    nodes: found.nodes.length,
    datacenters: each(found.nodes.map((node) => node.datacenter)),
    cassandraVersions: each(found.nodes.map((node) => node.cassandraVersion)),
    keyspaces: found.keyspaces.length,
  };
}
