import { describe, expect, it } from 'vitest';
import { clusterManifest, type NodeHeader } from '../../contracts/manifests.ts';
import { sealBackup } from '../../lambdas/seal-backup.ts';
import { readDocument, sha256Of } from '../../lambdas/vault/documents.ts';
import { answerUploads, headerOf, schema } from './support/answers.ts';
import { plannedBackup, uploadedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { CLUSTER, hosts, KMS_KEY, newWorld } from './support/world.ts';

const [host] = hosts;
if (!host) throw new Error('a host');

describe('SealBackup', () => {
  it('writes ring, schema and, last, the manifest that pins them all', async () => {
    const world = newWorld();
    const { run, planKey } = await uploadedBackup(world);
    const sealed = await sealBackup({ run, planKey, spreadMs: 490 }, world);
    expect(sealed).toEqual({ backupId: run.runId, files: 81, bytes: 9_000, uploadedBytes: 300 });
    const { layout, vault } = world;
    const keys = [...vault.objects.keys()];
    // What the step wrote; the rest was there.
    expect([...vault.kmsKeys]).toEqual(keys.slice(-4).map((key) => [key, KMS_KEY]));
    expect(keys.at(-1)).toBe(layout.clusterManifest(CLUSTER, run.runId));
    const manifest = await readDocument(world, keys.at(-1) ?? '', clusterManifest);
    expect(manifest).toMatchObject({
      snapshotAt: '2026-11-21T02:00:20.000Z',
      snapshotSpreadMs: 490,
      files: 81,
    });
    const bytes = (key: string) => vault.objects.get(key) ?? '';
    expect(sha256Of(bytes(layout.backupRing(CLUSTER, run.runId)))).toBe(manifest.ring.sha256);
    expect(sha256Of(bytes(layout.backupSchema(CLUSTER, run.runId)))).toBe(manifest.schema.sha256);
    const cql = bytes(layout.backupSchemaCql(CLUSTER, run.runId)).toString();
    expect(sha256Of(cql)).toBe(manifest.schemaCql.sha256);
    expect(cql.match(/;\n/g)).toHaveLength(schema.statements.length);
    const header = bytes(layout.nodeHeader(CLUSTER, run.runId, host.instanceArn));
    expect(manifest.nodes[0]).toMatchObject({ hostId: host.hostId, headerSha256: sha256Of(header) });
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      const { run, planKey } = await uploadedBackup(world);
      return { world, step: (ports) => sealBackup({ run, planKey, spreadMs: 490 }, ports) };
    }));

  it('adopts its own manifest at a later time, and no other', async () => {
    const world = newWorld();
    const { run, planKey } = await uploadedBackup(world);
    const first = await sealBackup({ run, planKey, spreadMs: 490 }, world);
    world.clock.advance(60_000);
    expect(await sealBackup({ run, planKey, spreadMs: 490 }, world)).toEqual(first);
    await expect(sealBackup({ run, planKey, spreadMs: 491 }, world)).rejects.toMatchObject({
      name: 'ManifestConflict',
    });
  });

  const whole = headerOf({ runId: '20261121t020000z-00000000', clusterId: CLUSTER }, 0);
  const incomplete: Array<[string, Partial<NodeHeader>, RegExp]> = [
    [
      'without a planned table',
      { tables: whole.tables.slice(1), files: 18, bytes: 2_000 },
      /got no table app\.Orders/,
    ],
    ['of another snapshot', { snapshotTag: 'daily' }, /snapshotTag: got daily/],
    ['of another schema', { schemaVersion: '22222222-1111-4111-8111-111111111111' }, /schemaVersion/],
    ['of another node', { hostId: '99999999-0000-4000-8000-000000000000' }, /hostId/],
    ['whose counts do not add up', { files: 28 }, /files of its tables: got 27, expected 28/],
    ['whose listing is short', { listing: { ...whole.listing, lines: 26 } }, /lines of its listing: got 26/],
    [
      'whose listing is not what is stored',
      { listing: { ...whole.listing, sizeBytes: 1 } },
      /bytes stored, expected 1/,
    ],
  ];
  it.each(incomplete)('refuses a node manifest %s', async (_what, more, says) => {
    const world = newWorld();
    const { run, planKey } = await plannedBackup(world);
    await answerUploads(world, run, { 1: more });
    const refused = sealBackup({ run, planKey, spreadMs: 0 }, world);
    await expect(refused).rejects.toMatchObject({ name: 'BackupIncomplete' });
    await expect(refused).rejects.toThrow(says);
    expect(world.vault.objects.has(world.layout.clusterManifest(CLUSTER, run.runId))).toBe(false);
  });

  it('refuses a header that is not what the host said, and one that is missing', async () => {
    const world = newWorld();
    const { run, planKey } = await uploadedBackup(world);
    const key = world.layout.nodeHeader(CLUSTER, run.runId, host.instanceArn);
    world.vault.objects.set(key, Buffer.from('{}'));
    await expect(sealBackup({ run, planKey, spreadMs: 0 }, world)).rejects.toMatchObject({
      name: 'BackupDamaged',
    });
    world.vault.objects.delete(key);
    await expect(sealBackup({ run, planKey, spreadMs: 0 }, world)).rejects.toMatchObject({
      name: 'BackupDamaged',
    });
  });

  it('reads a listing that was sent in parts, of which S3 has no SHA-256', async () => {
    const world = newWorld();
    const { attributes } = world.vault;
    world.vault.attributes = async (key) => {
      const known = await attributes(key);
      return known && { sizeBytes: known.sizeBytes };
    };
    const { run, planKey } = await uploadedBackup(world);
    const key = world.layout.nodeListing(CLUSTER, run.runId, host.instanceArn);
    const right = world.vault.objects.get(key) ?? Buffer.alloc(0);
    const wrong = Buffer.from(right);
    wrong.writeUInt8(wrong.readUInt8(0) ^ 1, 0);
    world.vault.objects.set(key, wrong);
    await expect(sealBackup({ run, planKey, spreadMs: 0 }, world)).rejects.toThrow(/listing: got SHA-256/);
    world.vault.objects.set(key, right);
    expect(await sealBackup({ run, planKey, spreadMs: 0 }, world)).toMatchObject({ files: 81 });
  });

  it('refuses where a listing is missing, and where there is no file at all', async () => {
    const world = newWorld();
    const { run, planKey } = await uploadedBackup(world);
    world.vault.objects.delete(world.layout.nodeListing(CLUSTER, run.runId, host.instanceArn));
    await expect(sealBackup({ run, planKey, spreadMs: 0 }, world)).rejects.toThrow(/got no listing/);
    const tables = whole.tables.map((table) => ({ ...table, files: 0, bytes: 0, sstables: 0 }));
    const listing = { ...whole.listing, lines: 0 };
    const empty = { tables, files: 0, bytes: 0, listing };
    await answerUploads(world, run, { 0: empty, 1: empty, 2: empty });
    await expect(sealBackup({ run, planKey, spreadMs: 0 }, world)).rejects.toThrow(
      /got no file from 3 nodes/,
    );
  });

  it('seals nothing for a run that has ended', async () => {
    const world = newWorld();
    const { run, planKey } = await uploadedBackup(world);
    await world.catalog.release(run);
    await expect(sealBackup({ run, planKey, spreadMs: 0 }, world)).rejects.toMatchObject({
      name: 'RunEnded',
    });
    expect(world.vault.objects.has(world.layout.clusterManifest(CLUSTER, run.runId))).toBe(false);
  });
});
