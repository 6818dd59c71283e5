// `ringvault tokens <cluster>`: what the nodes of a new cluster must be started with, so that a backup fits on them.
import type { RingNode } from '../../contracts/ring.ts';
import type { Answer } from '../answer.ts';
import type { Session } from '../deployment.ts';
import { readRing } from '../download/documents.ts';
import { requireBackup } from '../lookup.ts';

/** @throws UnknownCluster UnknownBackup NoBackup BackupDamaged */
export async function tokens(
  { deployment }: Session,
  clusterId: string,
  { backup }: { backup: string },
): Promise<Answer> {
  const manifest = await requireBackup(deployment, clusterId, backup);
  const { store: vault, layout } = deployment;
  const { clusterName, partitioner, nodes } = await readRing({ vault, layout }, manifest);
  const { backupId } = manifest;
  return {
    document: { clusterId, backupId, clusterName, partitioner, nodes },
    text: [
      `# Cluster ${clusterId} as of backup ${backupId}. One block for the cassandra.yaml of each node of a new cluster, empty at`,
      `# its first start. Its cluster_name must be another than ${JSON.stringify(clusterName)}.`,
      ...nodes.toSorted(byPlace).map((node) => settingsOf(node, partitioner)),
    ].join('\n'),
  };
}

function byPlace(one: RingNode, other: RingNode): number {
  const placeOf = ({ datacenter, rack, address }: RingNode) => `${datacenter}\0${rack}\0${address}`;
  return placeOf(one) < placeOf(other) ? -1 : 1;
}

const settingsOf = ({ datacenter, rack, address, tokens: own }: RingNode, partitioner: string) =>
  [
    '---',
    `# ${address}: datacenter ${JSON.stringify(datacenter)}, rack ${JSON.stringify(rack)}`,
    `partitioner: ${partitioner}`,
    `num_tokens: ${own.length}`,
    `initial_token: ${own.join(',')}`,
    'auto_bootstrap: false',
  ].join('\n');
