// `ringvault clusters`: the clusters that had a run, and what each is registered as.
import type { Answer } from '../answer.ts';
import type { Session } from '../deployment.ts';
import { knownClusters } from '../lookup.ts';
import { clustersTable } from '../render/topology.ts';

export async function clusters({ deployment }: Session): Promise<Answer> {
  const found = await Promise.all(
    (await knownClusters(deployment)).map(async (clusterId) => ({
      clusterId,
      registration: (await deployment.catalog.readRegistration(clusterId)) ?? null,
    })),
  );
  const none =
    'No cluster had a run yet. Register one with: ringvault register <cluster>, a cluster ID of ringvault.yaml';
  return { document: { clusters: found }, text: found.length > 0 ? clustersTable(found) : none };
}
