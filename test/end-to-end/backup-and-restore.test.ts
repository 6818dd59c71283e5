// The main job: a schedule's backup, a disaster, and a restore that brings everything back.
import { expect, test } from 'vitest';
import { causeDisaster } from '../../local/dataset/disaster.ts';
import { compareWithExpectation, recordExpectation } from '../../local/dataset/expectation.ts';
import { loadDataset } from '../../local/dataset/load.ts';
import { sharedStage } from './stage.ts';

test('after a disaster, a restore brings back every row, index, view, counter and expiry', async () => {
  const stage = await sharedStage();
  const alpha = await stage.alpha();
  await loadDataset(alpha.cassandra, { shortTtlSeconds: 20 });
  const client = await stage.client(alpha);
  const expectation = await recordExpectation(client);
  const backup = stage.completed(await stage.run('backup', { clusterId: 'alpha' }));
  await causeDisaster(alpha.cassandra, client);
  const restore = stage.completed(await stage.run('restore', { clusterId: 'alpha', backupId: backup.runId }));
  expect(restore.undo).toBe('possible');
  const comparisons = await compareWithExpectation(expectation, client);
  expect(comparisons.filter(({ same }) => !same)).toEqual([]);
  expect(comparisons.length).toBeGreaterThan(8);
});
