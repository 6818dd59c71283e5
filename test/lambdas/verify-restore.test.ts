import { describe, expect, it } from 'vitest';
import { verifyRestore } from '../../lambdas/verify-restore.ts';
import { answer, answerDescribe, ring, schema } from './support/answers.ts';
import { completedBackup } from './support/backup.ts';
import { answerPlaced, completedRestore, plannedRestore } from './support/restore.ts';
import { newWorld } from './support/world.ts';

type Describe = Parameters<typeof answerDescribe>;

async function restored(more: Describe[3] = {}, live: Describe[4] = {}) {
  const world = newWorld();
  await completedBackup(world);
  const { run, planKey } = await plannedRestore(world);
  await answerPlaced(world, run);
  await answerDescribe(world, run, 'describe-after', more, live);
  return { world, run, planKey };
}

describe('VerifyRestore', () => {
  it('counts what every node placed', async () => {
    const { world, run, planKey } = await restored();
    expect(await verifyRestore({ run, planKey }, world)).toEqual({ nodes: 3, files: 54, bytes: 6_000 });
  });

  it('bears with a member that gossip has not told everyone of yet', async () => {
    const { world, run, planKey } = await restored({ 0: { notUpNormal: ['10.0.0.2 (DN)'] } });
    expect(await verifyRestore({ run, planKey }, world)).toMatchObject({ nodes: 3 });
  });

  const dropped = { ...schema.tables[1], columns: [], name: 'users' } as (typeof schema.tables)[number];
  const failures: Array<[string, Describe[3], Describe[4], RegExp]> = [
    ['a node is down', { 1: { cassandra: 'down' } }, {}, /NodeDown/],
    ['the ring is another', {}, { ring: { ...ring, nodes: ring.nodes.slice(1) } }, /TopologyMismatch/],
    [
      'a node has another host ID',
      { 1: { hostId: '99999999-0000-4000-8000-000000000000' } },
      {},
      /expected 00000002/,
    ],
    ['a table is missing', {}, { schema: { ...schema, tables: schema.tables.slice(1) } }, /app\.Orders/],
    [
      'a column is gone',
      {},
      { schema: { ...schema, tables: [...schema.tables.slice(0, 1), dropped] } },
      /column value of app\.users was dropped/,
    ],
    [
      'schemas differ',
      { 1: { schemaVersion: '22222222-1111-4111-8111-111111111111' } },
      {},
      /SchemaDisagreement/,
    ],
  ];
  it.each(failures)('says so where %s', async (_what, more, live, says) => {
    const { world, run, planKey } = await restored(more, live);
    const refused = verifyRestore({ run, planKey }, world);
    await expect(refused).rejects.toMatchObject({ name: 'RestoreIncomplete' });
    await expect(refused).rejects.toThrow(says);
  });

  it('finds after an undo that tables were created again, which no node could tell before', async () => {
    const world = newWorld();
    await completedBackup(world);
    await completedRestore(world);
    const down = { cassandra: 'down' as const };
    const undo = { name: 'undo', at: 900, request: { operation: 'undo' } };
    const { run, planKey } = await plannedRestore(world, { ...undo, more: { 0: down, 1: down, 2: down } });
    const again = schema.tables.map((table) => ({ ...table, id: 'e'.repeat(32) }));
    await answerDescribe(world, run, 'describe-after', {}, { schema: { ...schema, tables: again } });
    const refused = verifyRestore({ run, planKey }, world);
    await expect(refused).rejects.toMatchObject({ name: 'RestoreIncomplete' });
    await expect(refused).rejects.toThrow(/app\.users has ID e+, in the backup a+/);
  });

  it('says so where a node placed less than it downloaded, or than the backup has', async () => {
    const { world, run, planKey } = await restored();
    await answer<'place'>(world, run, 'place', [{ tables: 2, files: 17, bytes: 1_999 }]);
    await expect(verifyRestore({ run, planKey }, world)).rejects.toThrow(
      /placed 17 files.*downloaded 18.*expected 2000/,
    );
  });
});
