// docs/restore-by-hand.py with the aws CLI, and a Cassandra that starts on what it fetched: the answer to "and if you all are
// gone?".
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, type QueryOptions, types } from 'cassandra-driver';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ringView } from '../../contracts/ring.ts';
import { withClassArchives } from '../../local/cassandra/class-archive.ts';
import { type Guard, guardNodes } from '../../local/cassandra/guard.ts';
import { cassandraJars } from '../../local/cassandra/jars.ts';
import { findJava } from '../../local/cassandra/java.ts';
import { claimNetwork, freeJmxPorts, type Network } from '../../local/cassandra/network.ts';
import { type CassandraNode, createNode } from '../../local/cassandra/node.ts';
import { type DatasetStage, datasetStage } from './dataset-stage.ts';
import { STATE_DIRECTORY } from './state-directory.ts';

const DIRECTORY = join(STATE_DIRECTORY, 'by-hand');
const DOCUMENTS = join(DIRECTORY, 'documents');

let dataset: DatasetStage;
let network: Network;
let guard: Guard | undefined;
beforeAll(async () => {
  dataset = await datasetStage();
  await rm(DIRECTORY, { recursive: true, force: true });
  await mkdir(DIRECTORY);
  network = await claimNetwork(1);
});
afterAll(async () => {
  await guard?.end();
  await network.release();
});

function restoreByHand(...args: string[]) {
  const { stage, backup } = dataset;
  const { deployment, installation } = stage;
  const bucket = installation.cloud.stacks.find('Ringvault')?.outputs['VaultBucket'];
  const vault = `s3://${bucket}/${deployment.layout.clusters.replace(/clusters\/$/, '')}`;
  const words = [vault, 'alpha', backup.runId, ...args, '--documents', DOCUMENTS];
  const env = { ...process.env, ...installation.cloud.environment };
  return execa('python3', ['docs/restore-by-hand.py', ...words], { env, reject: false });
}

/** Host ID → arguments, of the node that has several data directories. */
async function widestNode(): Promise<{ hostId: string; dataDirectories: number }> {
  const { exitCode, stdout, stderr } = await restoreByHand('--list');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const nodes = stdout.split('\n').map((line) => {
    const [hostId = ''] = line.split(' ');
    return { hostId, dataDirectories: (line.split(' bytes of ')[1] ?? '').split(' ').length };
  });
  expect(nodes).toHaveLength(3);
  const [widest] = nodes.toSorted((a, b) => b.dataDirectories - a.dataDirectories);
  if (!widest) throw new Error(`got ${stdout}, expected nodes`);
  return widest;
}

/** Like the one that is lost, elsewhere. */
async function emptyNode(hostId: string, dataDirectories: number): Promise<CassandraNode> {
  const { cassandra } = dataset.alpha;
  const ring = ringView.parse(JSON.parse(await readFile(join(DOCUMENTS, 'ring.json'), 'utf8')));
  const lost = ring.nodes.find((node) => node.hostId === hostId);
  if (!lost) throw new Error(`got no ${hostId} in ring.json`);
  const jars = await cassandraJars(cassandra.version);
  const paths = await withClassArchives({ java: await findJava(), jars }, cassandra.version);
  const [jmxPort = 0] = await freeJmxPorts(1);
  const address = network.address(1);
  return createNode(
    {
      ...{ directory: join(DIRECTORY, 'node'), version: cassandra.version, clusterName: ring.clusterName },
      ...{ address, seeds: [address], datacenter: lost.datacenter, rack: lost.rack, tokens: lost.tokens },
      // Alone it is no quorum of the three nodes that hold the roles.
      ...{ dataDirectories, authentication: false, jmxPort },
    },
    paths,
  );
}

/** Else it would look for its neighbours, and these know somebody of its name. */
async function forgetPeers(node: CassandraNode): Promise<void> {
  // The system tables of a node lie in its first data directory.
  const system = join(node.dataDirectories[0] ?? '', 'system');
  const tables = (await readdir(system)).filter((each) => /^peers(_v2)?-/.test(each));
  expect(tables).toHaveLength(2);
  for (const table of tables) await rm(join(system, table), { recursive: true });
}

/** Reads at ONE whatever is asked for: each of three nodes has every row, and the two others are not there. */
function onlyReplica(node: CassandraNode): Client {
  const client = new Client({
    contactPoints: [node.address],
    localDataCenter: dataset.alpha.cassandra.datacenter,
    socketOptions: { readTimeout: 45_000 },
  });
  const execute = client.execute.bind(client);
  return Object.assign(client, {
    execute: (query: string, params: unknown[], options: QueryOptions) =>
      execute(query, params, { ...options, consistency: types.consistencies.one }),
  });
}

test('a node that lost everything comes back with its identity and every row', {
  timeout: 1_800_000,
}, async () => {
  const { hostId, dataDirectories } = await widestNode();
  expect(dataDirectories).toBe(2);
  const node = await emptyNode(hostId, dataDirectories);
  const fetched = await restoreByHand(hostId, ...node.dataDirectories, '--system', '--parallel', '2');
  expect(fetched).toMatchObject({ exitCode: 0, stderr: '' });
  expect(fetched.stdout).toMatch(/\d{2,} files made, 0 there already, 0 FAILED$/);
  await forgetPeers(node);
  guard = guardNodes([node]);
  await node.start();
  expect(await node.nodetool('info')).toContain(hostId);
  const client = onlyReplica(node);
  try {
    expect(await dataset.differences(client)).toEqual([]);
  } finally {
    await client.shutdown();
  }
});
