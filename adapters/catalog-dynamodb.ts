// The catalog in one DynamoDB table; catalog-items.ts says what lies in it. Writes of a run are transactions with a check
// of the cluster's lock, so that nothing of a run is written once another has the cluster.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import pMap from 'p-map';
import { LockLost } from '../contracts/errors.ts';
import type { NodeOutcome, RunRecord, RunRef } from '../contracts/runs.ts';
import { nodeItem, registrationItem, runItem, setting, watchItem } from './catalog-dynamodb-items.ts';
import { dynamoDbLocks } from './catalog-dynamodb-lock.ts';
import { type CatalogTable, catalogTable } from './catalog-dynamodb-table.ts';
import { chosenRuns, keys, mergedWarnings, SCHEDULE_KEPT_SECONDS, withoutNodes } from './catalog-items.ts';
import type { Catalog, Clock, Random, RunFilter } from './ports.ts';

export interface DynamoDbCatalogOptions {
  table: string;
  clock: Clock;
  random: Random;
  /** The default client takes region, endpoint and credentials from the environment. */
  client?: DynamoDBClient;
}

/** Node items that are written at the same time. */
const WRITES_AT_ONCE = 16;

export function dynamoDbCatalog(options: DynamoDbCatalogOptions): Catalog {
  const client = DynamoDBDocumentClient.from(options.client ?? new DynamoDBClient({ maxAttempts: 8 }), {
    marshallOptions: { removeUndefinedValues: true },
  });
  const table = catalogTable(client, options);
  const nodesOf = nodes(table, options.clock);
  return {
    ...dynamoDbLocks(table),
    ...runs(table, options.clock),
    ...nodesOf,
    listRuns: (clusterId, filter = {}) => chosenRuns(newestFirst(table, clusterId, filter), nodesOf, filter),
    claimSchedule: (clusterId, schedule, scheduledTime, runId) =>
      claimSchedule(table, { clusterId, schedule, scheduledTime, runId }),
    isScheduleClaimed: async (clusterId, schedule, scheduledTime) =>
      (await table.get(keys.schedule(clusterId, schedule, scheduledTime))) !== undefined,
    async newestSchedule(clusterId, schedule) {
      const range = keys.schedules(clusterId, schedule);
      for await (const { sk } of table.query(range, { newestFirst: true, pageSize: 1 })) {
        return String(sk).slice(range.prefix.length);
      }
      return undefined;
    },
    async readWatch(clusterId, schedule) {
      const item = await table.get(keys.watch(clusterId, schedule));
      return item && watchItem(item);
    },
    async putWatch(clusterId, schedule, watch) {
      await table.put({ Item: { ...keys.watch(clusterId, schedule), ...watch } });
    },
    async readRegistration(clusterId) {
      const item = await table.get(keys.registration(clusterId));
      const known = item && registrationItem(item);
      return known?.state === 'registered' ? known : undefined;
    },
    async putRegistration(summary) {
      await table.put({
        Item: { ...keys.registration(summary.clusterId), ...summary },
        ConditionExpression: 'attribute_not_exists(pk) OR runId <= :runId',
        ExpressionAttributeValues: { ':runId': summary.runId },
      });
    },
    async runOfExecution(executionArn) {
      const item = await table.get(keys.execution(executionArn));
      return item && { clusterId: String(item['clusterId']), runId: String(item['runId']) };
    },
  };
}

/** Part of each transaction of a run. */
function holdsLock(run: RunRef) {
  return {
    ConditionCheck: {
      Key: keys.lock(run.clusterId),
      ConditionExpression: 'runId = :runId AND fence = :fence',
      ExpressionAttributeValues: { ':runId': run.runId, ':fence': run.fence },
    },
  };
}

function lockLost(run: RunRef): Error {
  return new LockLost(`run ${run.runId} no longer holds cluster "${run.clusterId}"`);
}

const NOT_ENDED = {
  ConditionExpression: 'attribute_not_exists(pk) OR NOT #status IN (:completed, :failed, :cancelled)',
  names: { '#status': 'status' },
  values: { ':completed': 'COMPLETED', ':failed': 'FAILED', ':cancelled': 'CANCELLED' },
} as const;

const UNKNOWN = { ConditionExpression: 'attribute_not_exists(pk)', names: {}, values: {} } as const;

function runs(table: CatalogTable, clock: Clock) {
  const putUnlessEnded = (record: Parameters<Catalog['putEndedRun']>[0]) => ({
    Item: { ...keys.run(record.clusterId, record.runId), ...withoutNodes(record) },
    ConditionExpression: NOT_ENDED.ConditionExpression,
    ExpressionAttributeNames: NOT_ENDED.names,
    ExpressionAttributeValues: NOT_ENDED.values,
  });
  const read: Catalog['readRun'] = async (clusterId, runId) => {
    const item = await table.get(keys.run(clusterId, runId));
    return item && runItem(item);
  };
  return {
    async putRun(run, record) {
      const [lock] = await table.transact([holdsLock(run), { Put: putUnlessEnded(record) }]);
      if (lock === 'refused') throw lockLost(run);
    },
    async putWaitingRun(record) {
      const { clusterId, runId, executionArn } = record;
      await table.put({ Item: { ...keys.execution(executionArn), clusterId, runId } });
      await table.put({
        Item: { ...keys.run(clusterId, runId), ...withoutNodes(record) },
        ConditionExpression: 'attribute_not_exists(pk) OR #status = :status',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':status': 'INITIALIZED' },
      });
    },
    async putEndedRun(record) {
      const updatedAt = record.endedAt ?? clock.now().toISOString();
      await pMap(
        record.nodes,
        async (node) => {
          await table.put({ Item: { ...keys.node(record.runId, node.instanceId), ...node, updatedAt } });
          for (const put of nodeRuns(record, node)) await table.put(put);
        },
        { concurrency: WRITES_AT_ONCE },
      );
      const { clusterId, runId, executionArn } = record;
      await table.put({ Item: { ...keys.execution(executionArn), clusterId, runId } });
      await table.put(putUnlessEnded(record));
    },
    async amendRun(clusterId, runId, { undo, warnings = [] }) {
      for (;;) {
        const record = await read(clusterId, runId);
        if (!record) return;
        const merged = mergedWarnings(record.warnings, warnings);
        const update = setting({ warnings: merged, ...(undo && { undo }) });
        // Others may amend at the same time: none of their warnings is lost.
        const amended = await table.update({
          ...update,
          Key: keys.run(clusterId, runId),
          ConditionExpression: '#warnings = :seen',
          ExpressionAttributeValues: { ...update.ExpressionAttributeValues, ':seen': record.warnings },
        });
        if (amended === 'written') return;
      }
    },
    readRun: read,
  } satisfies Partial<Catalog>;
}

/** One page after another, as long as somebody asks; what DynamoDB can compare does not leave it. */
async function* newestFirst(
  table: CatalogTable,
  clusterId: string,
  { workflow, kind, status, node, since }: RunFilter,
): AsyncGenerator<RunRecord> {
  if (node !== undefined) return yield* runsOfNode(table, clusterId, node);
  const options = { newestFirst: true, where: { workflow, kind, status } };
  for await (const item of table.query(keys.runs(clusterId, since), options)) yield runItem(item);
}

async function* runsOfNode(table: CatalogTable, clusterId: string, node: string): AsyncGenerator<RunRecord> {
  for await (const { runId } of table.query(keys.nodeRuns(clusterId, node), { newestFirst: true })) {
    const item = await table.get(keys.run(clusterId, String(runId)));
    if (item) yield runItem(item);
  }
}

/** So that a node's runs are found without looking at all runs. */
function nodeRuns({ clusterId, runId }: Pick<RunRecord, 'clusterId' | 'runId'>, node: NodeOutcome) {
  return [node.instanceId, ...(node.hostId ? [node.hostId] : [])].map((each) => ({
    Item: { ...keys.nodeRun(clusterId, each, runId), runId },
  }));
}

function nodes(table: CatalogTable, clock: Clock) {
  return {
    async putNode(run, outcome) {
      const Key = keys.node(run.runId, outcome.instanceId);
      const { commandId, attempt } = outcome;
      const whole = setting(
        { ...outcome, updatedAt: clock.now().toISOString() },
        { optional: OPTIONAL_OF_NODE, first: ['startedAt'] },
      );
      const when = outcome.status === 'INITIALIZED' ? UNKNOWN : NOT_ENDED;
      const [lock, node] = await table.transact([
        holdsLock(run),
        {
          Update: {
            Key,
            ...whole,
            ConditionExpression: when.ConditionExpression,
            ExpressionAttributeNames: { ...whole.ExpressionAttributeNames, ...when.names },
            ExpressionAttributeValues: { ...whole.ExpressionAttributeValues, ...when.values },
          },
        },
        ...nodeRuns(run, outcome).map((Put) => ({ Put })),
      ]);
      if (lock === 'refused') throw lockLost(run);
      if (node !== 'refused' || (!commandId && !attempt)) return;
      const command = setting({ ...(commandId && { commandId }), ...(attempt && { attempt }) });
      const [held] = await table.transact([holdsLock(run), { Update: { Key, ...command } }]);
      if (held === 'refused') throw lockLost(run);
    },
    async readNode(runId, instanceId) {
      const item = await table.get(keys.node(runId, instanceId));
      return item && nodeItem(item);
    },
    async listNodes(runId) {
      const found = [];
      for await (const item of table.query(keys.nodes(runId))) found.push(nodeItem(item));
      return found;
    },
  } satisfies Partial<Catalog>;
}

/** Left away by an outcome that has none of its own; host ID, command and attempt stay. */
const OPTIONAL_OF_NODE = ['files', 'bytes', 'uploadedBytes', 'endedAt', 'error'];

async function claimSchedule(
  table: CatalogTable,
  claim: { clusterId: string; schedule: string; scheduledTime: string; runId: string },
): Promise<{ firstRunId: string }> {
  const Key = keys.schedule(claim.clusterId, claim.schedule, claim.scheduledTime);
  const expiresAt = Math.floor(Date.parse(claim.scheduledTime) / 1000) + SCHEDULE_KEPT_SECONDS;
  const written = await table.put({
    Item: { ...Key, runId: claim.runId, expiresAt },
    ConditionExpression: 'attribute_not_exists(pk)',
  });
  if (written === 'written') return { firstRunId: claim.runId };
  const first = await table.get(Key);
  return { firstRunId: first ? String(first['runId']) : claim.runId };
}
