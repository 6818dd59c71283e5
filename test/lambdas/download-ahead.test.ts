// A restore that ends after its download: it changes nothing, and says so.
import { describe, expect, it } from 'vitest';
import { restorePlan } from '../../contracts/plans.ts';
import { actionInputs } from '../../lambdas/action-inputs/action-input.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { releaseRun } from '../../lambdas/release-run.ts';
import { runMail } from '../../lambdas/reporting/run-mail.ts';
import { readDocument } from '../../lambdas/vault/documents.ts';
import { backedUp, plannedBackup } from './support/backup.ts';
import { answerPlaced, plannedRestore } from './support/restore.ts';
import { CLUSTER, configuration, hosts } from './support/world.ts';

describe('stopAfterStep: download', () => {
  it('leaves nothing to confirm, nothing to undo, no gap for increments', async () => {
    const { world, backupId } = await backedUp();
    const request = { stopAfterStep: 'download', confirmCluster: undefined };
    const ahead = await plannedRestore(world, { request });
    expect(ahead).toMatchObject({ stopAfterDownload: true, summary: { stopsAfter: 'download' } });
    const asked = { run: ahead.run, planKey: ahead.planKey, parameters: {}, cluster: configuration.cluster };
    const [host = { instanceId: '', instanceArn: '' }] = hosts;
    expect(await actionInputs.download({ ...asked, host }, world)).toMatchObject({ forLater: true });
    await answerPlaced(world, ahead.run);
    await recordRun({ run: ahead.run, planKey: ahead.planKey, status: 'COMPLETED', warnings: [] }, world);
    await releaseRun({ run: ahead.run, warnings: [] }, world);
    const record = await world.catalog.readRun(CLUSTER, ahead.run.runId);
    expect(record).toMatchObject({ backupId, status: 'COMPLETED', files: 54 });
    expect(record?.undo).toBeUndefined();
    const { text } = runMail({ ...(record ?? never()), nodes: [] });
    expect(text).toContain('nothing was restored');
    expect(text).toContain(`ringvault restore ${CLUSTER} --backup ${backupId}`);
    expect((await world.catalog.listNodes(ahead.run.runId)).map(({ phase }) => phase)).toEqual(
      Array(3).fill('download'),
    );
    const next = await plannedBackup(world, {
      ...{ name: 'next', at: 900, request: { kind: 'incremental' } },
    });
    expect(next.kind).toBe('incremental');
    await world.catalog.release(next.run);
    const plain = await plannedRestore(world, { name: 'plain', at: 1_200 });
    expect(plain.stopAfterDownload).toBe(false);
    const of = { run: plain.run, planKey: plain.planKey, parameters: {}, cluster: configuration.cluster };
    expect(await actionInputs.download({ ...of, host }, world)).not.toHaveProperty('forLater');
  });

  it('repairs nothing, and does not say that it did', async () => {
    const { world } = await backedUp();
    const request = { stopAfterStep: 'download', repair: true, nodes: [hosts[0]?.instanceId] };
    const { planKey, repairKey, summary } = await plannedRestore(world, { request });
    expect([repairKey, summary['repaired']]).toEqual(['', false]);
    const { warnings } = await readDocument(world, planKey, restorePlan);
    expect(warnings.join()).not.toMatch(/repair/i);
  });
});

describe('a restore of some nodes alone', () => {
  it('is neither placed nor repaired once the others may have forgotten deletions', async () => {
    const { world } = await backedUp();
    const nodes = [hosts[0]?.instanceId];
    const { run, planKey } = await plannedRestore(world, { request: { repair: true, nodes } });
    const [host = never()] = hosts;
    const asked = { run, host, planKey, parameters: {}, cluster: configuration.cluster };
    expect(await actionInputs.place(asked, world)).not.toHaveProperty('newHost');
    await world.clock.sleep(11 * 86_400_000);
    for (const action of ['place', 'repair'] as const)
      await expect(actionInputs[action](asked, world)).rejects.toMatchObject({ name: 'GcGracePassed' });
  });
});

function never(): never {
  throw new Error('it is there');
}
