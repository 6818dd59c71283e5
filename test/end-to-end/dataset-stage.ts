// The demo's dataset on alpha, what is known of it, and one backup of it: made by the first test that asks, shared by all.
import type { Client } from 'cassandra-driver';
import type { RunRecord } from '../../contracts/runs.ts';
import {
  compareWithExpectation,
  type Expectation,
  recordExpectation,
} from '../../local/dataset/expectation.ts';
import { loadDataset } from '../../local/dataset/load.ts';
import { KEYSPACE } from '../../local/dataset/schema.ts';
import type { ManagedCluster } from '../../local/installation.ts';
import { type Stage, sharedStage } from './stage.ts';

export interface DatasetStage {
  stage: Stage;
  alpha: ManagedCluster;
  client: Client;
  /** Of the whole dataset. */
  backup: RunRecord;
  /** What differs from what was backed up. */
  differences(): Promise<unknown[]>;
  /** A sign in the live data which no restore brings back; answers whether it is there. */
  mark(): Promise<() => Promise<boolean>>;
}

const shared = globalThis as { datasetStage?: Promise<DatasetStage> };

export function datasetStage(): Promise<DatasetStage> {
  shared.datasetStage ??= prepare();
  return shared.datasetStage;
}

async function prepare(): Promise<DatasetStage> {
  const stage = await sharedStage();
  const alpha = await stage.alpha();
  await loadDataset(alpha.cassandra, { shortTtlSeconds: 20 });
  const client = await stage.client(alpha);
  const expectation: Expectation = await recordExpectation(client);
  const backup = stage.completed(await stage.run('backup', { clusterId: 'alpha' }));
  return {
    ...{ stage, alpha, client, backup },
    differences: async () => {
      const comparisons = await compareWithExpectation(expectation, client);
      if (comparisons.length < 9) throw new Error(`got ${comparisons.length} comparisons, expected more`);
      return comparisons.filter(({ same }) => !same);
    },
    mark: () => mark(client),
  };
}

async function mark(client: Client): Promise<() => Promise<boolean>> {
  const page = `marked at ${new Date().toISOString()}`;
  await client.execute(`UPDATE ${KEYSPACE}.page_views SET views = views + 1 WHERE page = ?`, [page], {
    prepare: true,
  });
  return async () => {
    const { rows } = await client.execute(`SELECT views FROM ${KEYSPACE}.page_views WHERE page = ?`, [page], {
      prepare: true,
    });
    return rows.length > 0;
  };
}
