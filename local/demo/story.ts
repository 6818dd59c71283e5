// The demo's stages, in order: scheduled backup, a second one, what the history says, disaster, restore, comparison.
import { readFile } from 'node:fs/promises';
import { paginateListExecutions, SFNClient } from '@aws-sdk/client-sfn';
import type { Client } from 'cassandra-driver';
import { connect } from '../../cli/connect.ts';
import type { Deployment } from '../../cli/deployment.ts';
import { displayFor } from '../../cli/render/display.ts';
import { formatBytes } from '../../cli/render/format.ts';
import { runsTable, runText } from '../../cli/render/tables.ts';
import { errorOf } from '../../cli/run-view.ts';
import { watchRun } from '../../cli/watch.ts';
import { actions } from '../../contracts/actions.ts';
import { parseDocument } from '../../contracts/documents.ts';
import { actionIdOf } from '../../contracts/identifiers.ts';
import { clusterManifest } from '../../contracts/manifests.ts';
import type { RunRecord } from '../../contracts/runs.ts';
import { causeDisaster } from '../dataset/disaster.ts';
import { compareWithExpectation, recordExpectation } from '../dataset/expectation.ts';
import { loadDataset } from '../dataset/load.ts';
import { renderComparison } from '../dataset/report.ts';
import type { Installation, ManagedCluster } from '../installation.ts';
import { forgetOtherAccounts } from '../other-accounts.ts';
import { LocalServerFailed } from '../servers/errors.ts';
import type { Narrator } from './narrator.ts';
import { startRestore } from './start-restore.ts';

const CLUSTER_ID = 'demo';
const STACK = 'Ringvault';
/** Long enough to be in the first backup, over before the comparison. */
const SHORT_TTL_SECONDS = 100;
const MINUTE_MS = 60_000;

/** Answers whether everything came back. @throws RingvaultError where a stage fails */
export async function tellStory(
  installation: Installation,
  tell: Narrator,
  stop: AbortSignal,
): Promise<boolean> {
  const cluster = installation.clusters.get(CLUSTER_ID);
  if (!cluster) throw new LocalServerFailed(`got no cluster ${CLUSTER_ID} in ringvault.yaml`);
  forgetOtherAccounts();
  Object.assign(process.env, installation.cloud.environment);
  const stage: Stage = { installation, cluster, tell, stop, deployment: await connect({ stack: STACK }) };
  tell.stage('A keyspace with everything that is hard to restore');
  const { rows } = await loadDataset(cluster.cassandra, { shortTtlSeconds: SHORT_TTL_SECONDS });
  tell.line(`${rows} rows: type, secondary index, SAI index, view, quoted table, counters, rows that expire`);
  const expectation = await asClient(stage, recordExpectation);
  tell.line('every row, index query, view, counter and expiry recorded at consistency ALL');
  const first = await scheduledBackup(stage);
  await unchangedBackup(stage);
  await readBack(stage, first);
  await disaster(stage);
  await restore(stage, first);
  tell.stage('What was expected, and what came back');
  const comparisons = await asClient(stage, (client) => compareWithExpectation(expectation, client));
  tell.text(renderComparison(comparisons));
  return comparisons.every(({ same }) => same);
}

/** A client anew each time: one that saw all nodes go down would be slow to believe that they are back. */
async function asClient<Result>(
  { cluster }: Stage,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = await cluster.cassandra.connect();
  try {
    return await work(client);
  } finally {
    await client.shutdown();
  }
}

interface Stage {
  installation: Installation;
  cluster: ManagedCluster;
  deployment: Deployment;
  tell: Narrator;
  stop: AbortSignal;
}

async function scheduledBackup(stage: Stage): Promise<RunRecord> {
  const { cloud } = stage.installation;
  stage.tell.stage('The schedule fires: backup');
  await cloud.scheduleClock.moveTo(new Date(cloud.scheduleClock.now().getTime() + MINUTE_MS));
  stage.tell.line(`the schedules' clock was moved to ${cloud.scheduleClock.now().toISOString()}`);
  return follow(stage, await executionStartedBySchedule(stage));
}

async function executionStartedBySchedule({ installation: { cloud } }: Stage): Promise<string> {
  const stateMachineArn = cloud.stacks.find(STACK)?.outputs['BackupArn'];
  const client = new SFNClient(cloud.clientOptions);
  try {
    for await (const { executions = [] } of paginateListExecutions({ client }, { stateMachineArn })) {
      const executionArn = executions[0]?.executionArn;
      if (executionArn) return executionArn;
    }
  } finally {
    client.destroy();
  }
  throw new LocalServerFailed(
    'the schedule’s time has come: got no execution of the Backup workflow, expected one',
  );
}

async function unchangedBackup(stage: Stage): Promise<void> {
  const { deployment, cluster, tell } = stage;
  tell.stage('At once a second backup, nothing changed');
  const { executionArn } = await deployment.executions.start('backup', { clusterId: CLUSTER_ID });
  const run = await follow(stage, executionArn);
  let [user, system] = [0, 0];
  for (const { instanceArn } of cluster.hosts) {
    const key = deployment.layout.result(instanceArn, actionIdOf(run.runId, 'upload'));
    const stored = await deployment.store.get(key);
    const result = parseDocument(actions.upload.output, stored?.body.toString() ?? '', key);
    user += result.uploadedBytes - result.systemUploadedBytes;
    system += result.systemUploadedBytes;
  }
  tell.line(`user tables: ${formatBytes(user)} uploaded; system tables: ${formatBytes(system)}`);
  if (user !== 0)
    throw new LocalServerFailed(`got ${user} bytes of user tables uploaded again, expected none`);
}

async function readBack({ installation: { cloud }, deployment, tell }: Stage, run: RunRecord): Promise<void> {
  tell.stage('What is known of it: DynamoDB, the mail, the manifest in S3');
  tell.text(runsTable(await deployment.catalog.listRuns(CLUSTER_ID)));
  const mails = cloud.endpoint.deliveries.records.flatMap(({ file }) => (file ? [file] : []));
  const [mail] = mails;
  if (!mail) throw new LocalServerFailed('got no mail from SNS, expected one a backup');
  tell.line(`\n   ${mail}:`);
  tell.text(await readFile(mail, 'utf8'));
  const key = deployment.layout.clusterManifest(CLUSTER_ID, run.runId);
  const stored = await deployment.store.get(key);
  const manifest = parseDocument(clusterManifest, stored?.body.toString() ?? '', key);
  tell.line(`s3://${cloud.stacks.find(STACK)?.outputs['VaultBucket']}/${key}:`);
  tell.text(JSON.stringify({ ...manifest, nodes: manifest.nodes.map(({ hostId }) => hostId) }, null, 2));
}

async function disaster(stage: Stage): Promise<void> {
  const { cluster, tell } = stage;
  tell.stage('Disaster');
  const done = await asClient(stage, (client) => causeDisaster(cluster.cassandra, client));
  for (const what of done) tell.line(what);
}

async function restore(stage: Stage, { runId }: RunRecord): Promise<void> {
  const { installation, tell } = stage;
  tell.stage('Restore');
  const { executionArn, how } = await startRestore(installation.cloud, STACK, {
    clusterId: CLUSTER_ID,
    confirmCluster: CLUSTER_ID,
    backupId: runId,
  });
  tell.line(how);
  await follow(stage, executionArn);
}

/** Shows a run until it ends. @throws the run's own error */
async function follow({ deployment, tell, stop }: Stage, executionArn: string): Promise<RunRecord> {
  const { view } = await watchRun(deployment, executionArn, displayFor(tell.terminal), stop);
  stop.throwIfAborted();
  tell.text(runText(view));
  const error = errorOf(view);
  if (error) throw error;
  if (view.run?.status !== 'COMPLETED') {
    throw new LocalServerFailed(`${executionArn}: got ${view.run?.status ?? 'no run'}, expected COMPLETED`);
  }
  return view.run;
}
