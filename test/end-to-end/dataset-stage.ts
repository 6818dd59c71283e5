// The demo's dataset on alpha, what is known of it, and one backup of it: made by the first test that asks, shared by all.
import { type Client, types } from 'cassandra-driver';
import type { RunRecord } from '../../contracts/runs.ts';
import {
  type Comparison,
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
  withClient<Result>(use: (client: Client) => Promise<Result>): Promise<Result>;
  /** Of the whole dataset. */
  backup: RunRecord;
  /** What differs from what was backed up: in the live data, or as a client of another cluster reads it. */
  differences(client?: Client): Promise<Comparison[]>;
  /** A sign in the live data which no restore brings back; answers whether it is there. */
  mark(): Promise<() => Promise<boolean>>;
}

const AT_ALL = { consistency: types.consistencies.all };
const shared = globalThis as { datasetStage?: Promise<DatasetStage> };

export function datasetStage(): Promise<DatasetStage> {
  shared.datasetStage ??= prepare();
  return shared.datasetStage;
}

async function prepare(): Promise<DatasetStage> {
  const stage = await sharedStage();
  const alpha = await stage.alpha();
  await loadDataset(alpha.cassandra, { shortTtlSeconds: 20 });
  // A client that has seen all nodes go down takes its time to try them again: each use has its own.
  const withClient = async <Result>(use: (client: Client) => Promise<Result>) => {
    const client = await alpha.cassandra.connect();
    return use(client).finally(() => client.shutdown());
  };
  const expectation: Expectation = await withClient(recordExpectation);
  const backup = stage.completed(await stage.run('backup', { clusterId: 'alpha' }));
  return {
    ...{ stage, alpha, backup, withClient },
    async differences(client) {
      const compare = (each: Client) => compareWithExpectation(expectation, each);
      const comparisons = await (client ? compare(client) : withClient(compare));
      if (comparisons.length < 9) throw new Error(`got ${comparisons.length} comparisons, expected more`);
      return comparisons.filter(({ same }) => !same);
    },
    async mark() {
      const page = `marked at ${new Date().toISOString()}`;
      const where = `WHERE page = '${page}'`;
      const row = `SELECT views FROM ${KEYSPACE}.page_views ${where}`;
      await withClient((client) =>
        client.execute(`UPDATE ${KEYSPACE}.page_views SET views = views + 1 ${where}`, [], AT_ALL),
      );
      return async () => {
        const { rows } = await withClient((client) => client.execute(row, [], AT_ALL));
        return rows.length > 0;
      };
    },
  };
}
