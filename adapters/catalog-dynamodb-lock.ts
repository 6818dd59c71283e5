// The cluster's lock in DynamoDB. Its item stays when it is given back, so that the fence only ever grows.

import { type Item, lockItem } from './catalog-dynamodb-items.ts';
import type { CatalogTable } from './catalog-dynamodb-table.ts';
import { keys } from './catalog-items.ts';
import type { Catalog, Lock } from './ports.ts';

type Locks = Pick<Catalog, 'readLock' | 'claim' | 'takeOver' | 'release'>;
type Claim = Omit<Lock, 'fence'>;

const HOLDER = ['runId', 'workflow', 'executionArn', 'subjectRunId', 'leaseUntil'] as const;

export function dynamoDbLocks(table: CatalogTable): Locks {
  const read = (clusterId: string) => table.get(keys.lock(clusterId));
  return {
    async readLock(clusterId) {
      return held(await read(clusterId));
    },
    async claim(claim) {
      for (;;) {
        const item = await read(claim.clusterId);
        const lock = held(item);
        if (lock?.executionArn === claim.executionArn) return { outcome: 'claimed', fence: lock.fence };
        if (lock) return { outcome: 'held', lock };
        const fence = await take(table, claim, item, 'attribute_not_exists(executionArn)');
        if (fence) return { outcome: 'claimed', fence };
      }
    },
    async takeOver(seen, claim) {
      const item = await read(claim.clusterId);
      const lock = held(item);
      if (lock?.executionArn === claim.executionArn) return { outcome: 'claimed', fence: lock.fence };
      if (lock?.fence !== seen.fence || lock.executionArn !== seen.executionArn) return { outcome: 'lost' };
      const fence = await take(table, claim, item, 'attribute_exists(executionArn)');
      return fence ? { outcome: 'claimed', fence } : { outcome: 'lost' };
    },
    async release(run) {
      const given = await table.update({
        Key: keys.lock(run.clusterId),
        UpdateExpression: `REMOVE ${HOLDER.map((name) => `#${name}`).join(', ')}`,
        ConditionExpression: '#runId = :runId AND fence = :fence',
        ExpressionAttributeNames: Object.fromEntries(HOLDER.map((name) => [`#${name}`, name])),
        ExpressionAttributeValues: { ':runId': run.runId, ':fence': run.fence },
      });
      return given === 'written';
    },
  };
}

function held(item: Item | undefined): Lock | undefined {
  return item?.['executionArn'] === undefined ? undefined : lockItem(item);
}

/** Takes the lock as it was seen, and remembers which run the execution is. Undefined: somebody was faster. */
async function take(
  table: CatalogTable,
  claim: Claim,
  seen: Item | undefined,
  condition: string,
): Promise<number | undefined> {
  const fence = Number(seen?.['fence'] ?? 0) + 1;
  const unchanged = seen ? 'fence = :seen' : 'attribute_not_exists(fence)';
  const { clusterId, runId, executionArn } = claim;
  const [lock] = await table.transact([
    {
      Put: {
        Item: { ...keys.lock(clusterId), ...claim, fence },
        ConditionExpression: `${condition} AND ${unchanged}`,
        ...(seen && { ExpressionAttributeValues: { ':seen': seen['fence'] } }),
      },
    },
    { Put: { Item: { ...keys.execution(executionArn), clusterId, runId } } },
  ]);
  return lock === 'written' ? fence : undefined;
}
