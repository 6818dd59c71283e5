// `ringvault download`: what lies in the directory is what was stored, and everything else is refused by name.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackupLink } from '../../contracts/manifests.ts';
import type { SchemaTable } from '../../contracts/ring.ts';
import { tryLock } from '../../node-scripts/process-lock.ts';
import { type HeldFile, type HeldNode, sealBackup, sha256Of, tableOf } from './sealed-backup.ts';
import { RUN, stage } from './stage.ts';

const LATER = '20261121t030000z-0a1b2c3d';
const ORDERS = `shop/orders-${'1'.repeat(32)}`;
const ITEMS = `shop/Items-${'2'.repeat(32)}`;
const LEDGER = `bank/ledger-${'3'.repeat(32)}`;
const ROLES = `system_auth/roles-${'4'.repeat(32)}`;
const big = randomBytes(300_000);
const compressible = Buffer.alloc(200_000, 'the same again and ');

const ONE: HeldNode = {
  hostId: '3d1f3a52-4c3e-4a53-8f77-0b0b0b0b0b0b',
  instanceId: 'i-0123456789abcdef0',
  dataDirectories: ['/data'],
  files: [
    { path: `${ORDERS}/nb-1-big-Data.db`, content: big },
    { path: `${ORDERS}/nb-1-big-Filter.db`, content: '', pack: 'one' },
    { path: `${ORDERS}/nb-1-big-Statistics.db`, content: 'statistics', pack: 'one' },
    { path: `${ORDERS}/.by_day/nb-1-big-Data.db`, content: 'of an index' },
    { path: `${ITEMS}/nb-1-big-Data.db`, content: compressible, variant: 'zst' },
    { path: `${ITEMS}/nb-1-big-Index.db`, content: 'beside what somebody put there', variant: '2' },
    { path: `${ITEMS}/nb-2-big-Data.db`, content: big.subarray(9), variant: 'enc' },
    { path: `${ITEMS}/nb-2-big-Filter.db`, content: 'both', pack: 'two', variant: 'zst.enc' },
    { path: `${ITEMS}/nb-2-big-Index.db`, content: compressible, pack: 'two', variant: 'zst.enc' },
    { path: `${LEDGER}/nb-1-big-Data.db`, content: 'rotten', damaged: true },
    { path: `${ROLES}/nb-1-big-Data.db`, content: 'roles' },
  ],
};
/** Both of its data directories have SSTables of one name. */
const TWO: HeldNode = {
  hostId: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
  instanceId: 'i-0123456789abcdef1',
  dataDirectories: ['/disk1', '/disk2'],
  files: [
    { path: `${LEDGER}/nb-1-big-Data.db`, content: 'of the first' },
    { path: `${LEDGER}/nb-1-big-Data.db`, dataDirectory: 1, content: 'of the second' },
    { path: `${ORDERS}/nb-1-big-Data.db`, dataDirectory: 1, content: 'orders of the second' },
  ],
};
const DOCUMENTS = ['backup.json', 'ring.json', 'schema.cql'];

let to: string;
let staged: ReturnType<typeof stage>;
beforeEach(async () => {
  to = join(await mkdtemp(join(tmpdir(), 'ringvault-download-')), 'files');
  staged = stage();
  await staged.know('demo');
});
afterEach(() => rm(dirname(to), { recursive: true }));

const seal = (
  nodes = [ONE, TWO],
  backupId = RUN,
  more: { previous?: BackupLink; tables?: SchemaTable[] } = {},
) => sealBackup({ store: staged.store, dataKeys: staged.dataKeys, backupId, nodes, ...more });
const download = (options = '') => staged.type(`download demo --to ${to}${options && ` ${options}`}`);
const place = (file: HeldFile, node = ONE) => `${node.hostId}/${file.path}`;

/** Path below the directory → hash of the content. */
async function found(): Promise<Record<string, string>> {
  const entries = await readdir(to, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((each) => join(each.parentPath, each.name));
  return Object.fromEntries(
    await Promise.all(files.map(async (path) => [relative(to, path), sha256Of(await readFile(path))])),
  );
}
async function foundFiles(): Promise<string[]> {
  return Object.keys(await found())
    .filter((path) => !DOCUMENTS.includes(path))
    .sort();
}
const held = (files: readonly HeldFile[], at: (file: HeldFile) => string = place) =>
  Object.fromEntries(files.map((file) => [at(file), sha256Of(Buffer.from(file.content))]));

it('brings each file of the users as it was on its node, and says which backup it is of', async () => {
  await seal();
  expect(await download()).toBe(0);
  const { layout, store, output } = staged;
  const { 'backup.json': manifest, 'ring.json': ring, 'schema.cql': schema, ...files } = await found();
  expect(files).toEqual({
    ...held(ONE.files.filter(({ path }) => !path.startsWith('system'))),
    ...held(TWO.files, ({ path, dataDirectory = 0 }) => `${TWO.hostId}/data${dataDirectory + 1}/${path}`),
  });
  expect([manifest, ring, schema]).toEqual(
    [
      layout.clusterManifest('demo', RUN),
      layout.backupRing('demo', RUN),
      layout.backupSchemaCql('demo', RUN),
    ].map((key) => sha256Of(store.objects.get(key) ?? '')),
  );
  expect(output.stderr).toMatch(/i-0123456789abcdef0 {2}download .* of 10 files/);
  expect(output.stdout).toContain('warning: 1 files had rotted');
  expect(output.stdout).toMatch(/i-0123456789abcdef1 .* \/disk1, \/disk2 +3 /);
});

it('with --json is one document', async () => {
  await seal();
  expect(await download('--json')).toBe(0);
  expect(JSON.parse(staged.output.stdout)).toMatchObject({
    ...{ clusterId: 'demo', backupId: RUN, kind: 'snapshot', directory: to, files: 13 },
    nodes: [
      { hostId: ONE.hostId, files: 10, damagedFiles: 1 },
      { hostId: TWO.hostId, dataDirectories: ['/disk1', '/disk2'], files: 3 },
    ],
  });
});

describe('what is chosen', () => {
  const paths = (...ofTables: string[]) =>
    ONE.files
      .filter(({ path }) => ofTables.some((table) => path.startsWith(table)))
      .map((file) => place(file))
      .sort();
  const node = `--node ${ONE.instanceId}`;
  it.each<[string, string[]]>([
    [node, paths('shop', 'bank')],
    [`--node ${ONE.hostId} --include shop`, paths('shop')],
    [`${node} --include shop.* --exclude shop.ord*`, paths(ITEMS)],
    [`${node} --prefix shop/orders-`, paths(ORDERS)],
    [`${node} --prefix ${ORDERS}/nb-1-big-Stat`, paths(`${ORDERS}/nb-1-big-Statistics.db`)],
    [`${node} --prefix system_auth/`, paths(ROLES)],
    // "s" names no keyspace of Cassandra's.
    [`${node} --prefix s`, paths('shop')],
  ])('by %s', async (options, expected) => {
    await seal();
    expect(await download(options)).toBe(0);
    expect(await foundFiles()).toEqual(expected);
  });

  it('is a view with its table', async () => {
    const view = { ...tableOf(ITEMS), kind: 'view' as const, baseTable: 'orders' };
    await seal([ONE], RUN, { tables: [tableOf(ORDERS), view, tableOf(LEDGER)] });
    expect(await download('--include shop.orders')).toBe(0);
    expect(await foundFiles()).toEqual(paths('shop'));
  });

  it.each([
    '--node i-00000000000000009',
    '--include shop.nothing',
    '--exclude *',
    '--prefix shop/orders-2',
    '--prefix system_auth --include shop',
  ])('by %s is nothing: exit 4, and no file is made', async (options) => {
    await seal();
    expect(await download(options)).toBe(4);
    expect(staged.output.stderr).toContain('NothingSelected: ');
    expect(await foundFiles().catch(() => [])).toEqual([]);
  });
});

describe('an incremental backup', () => {
  const increment = { path: `${ORDERS}/nb-7-big-Data.db`, content: 'written since' };
  beforeEach(async () => {
    const tables = [ORDERS, ITEMS, LEDGER].map(tableOf);
    const { link } = await seal([ONE], RUN, { tables });
    await seal([{ ...ONE, files: [increment] }], LATER, { previous: link, tables });
  });

  it('comes with all that it goes on from', async () => {
    expect(await download(`--backup ${LATER} --include shop`)).toBe(0);
    const ofBase = ONE.files.filter(({ path }) => path.startsWith('shop'));
    expect(await foundFiles()).toEqual([...ofBase, increment].map((file) => place(file)).sort());
    expect(await readFile(join(to, 'schema.cql'), 'utf8')).toBe(`-- ${LATER}\n`);
  });

  it('with --snapshot-only is its base alone', async () => {
    expect(await download(`--backup ${LATER} --snapshot-only --include shop.orders`)).toBe(0);
    expect(await foundFiles()).not.toContain(place(increment));
    expect(await readFile(join(to, 'schema.cql'), 'utf8')).toBe(`-- ${RUN}\n`);
  });
});

describe('what is not what its hash says', () => {
  const flip = (bytes: Buffer) => {
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    return bytes;
  };
  const cut = (bytes: Buffer) => bytes.subarray(0, -1);
  const gone = () => undefined;
  const damage = (key: string, how: (bytes: Buffer) => Buffer | undefined) => {
    const { objects } = staged.store;
    const bytes = how(Buffer.from(objects.get(key) ?? ''));
    if (bytes) objects.set(key, bytes);
    else objects.delete(key);
  };

  it.each([
    ['an object that is changed', `${ORDERS}/nb-1-big-Data.db`, flip],
    ['an object that is shorter', `${ORDERS}/nb-1-big-Data.db`, cut],
    ['an object that is gone', `${ORDERS}/nb-1-big-Data.db`, gone],
    ['a pack that is changed', `${ORDERS}/nb-1-big-Statistics.db`, flip],
    ['a compressed object that is changed', `${ITEMS}/nb-1-big-Data.db`, flip],
    ['an encrypted object that is changed', `${ITEMS}/nb-2-big-Data.db`, flip],
    ['a compressed and encrypted pack that is shorter', `${ITEMS}/nb-2-big-Index.db`, cut],
  ])('%s is named with its file, which is not made', async (_, path, how) => {
    const { lines } = await seal([ONE]);
    const { sha256 = '', pack, variant } = lines.find((line) => line.path === path) ?? {};
    damage(staged.layout.object('demo', pack ?? sha256, variant), how);
    expect(await download()).toBe(5);
    expect(staged.output.stderr).toContain('BackupDamaged: ');
    expect(staged.output.stderr).toContain(path.replace(/[^/]*$/, ''));
    expect(Object.keys(await found())).not.toContain(`${ONE.hostId}/${path}`);
  });

  const arn = `arn:aws:ec2:eu-west-1:111122223333:instance/${ONE.instanceId}`;
  it.each([
    ['header', () => staged.layout.nodeHeader('demo', RUN, arn)],
    ['listing', () => staged.layout.nodeListing('demo', RUN, arn)],
    ['schema', () => staged.layout.backupSchemaCql('demo', RUN)],
    ['ring', () => staged.layout.backupRing('demo', RUN)],
  ])('a %s is not believed', async (_, keyOf) => {
    await seal([ONE]);
    damage(keyOf(), flip);
    expect(await download()).toBe(5);
    expect(staged.output.stderr).toContain('BackupDamaged: ');
    expect(await foundFiles().catch(() => [])).toEqual([]);
  });
});

it('stopped by Ctrl-C it says so; again, it goes on with what is not there yet', async () => {
  await seal([ONE]);
  const { store } = staged;
  const { receive } = store;
  store.receive = async (key, receiver) => {
    const isThere = await receive(key, receiver);
    staged.interrupt.abort(new Error('Ctrl-C'));
    return isThere;
  };
  expect(await download()).toBe(130);
  expect(staged.output.stdout).toContain(`--backup ${RUN} goes on`);
  const [before, ofUsers] = [await foundFiles(), ONE.files.filter(({ path }) => !path.startsWith('system'))];
  // Who is killed leaves the beginning of a file, too.
  const missing = ofUsers.map((file) => place(file)).find((path) => !before.includes(path));
  expect(missing).toBeDefined();
  const torn = join(to, `${missing}.part`);
  await mkdir(dirname(torn), { recursive: true });
  await writeFile(torn, 'torn');
  store.receive = receive;
  const [second, third] = [await again(), await again()];
  expect(await found()).toMatchObject(held(ofUsers));
  expect(Object.keys(await found())).toHaveLength(10 + DOCUMENTS.length);
  expect([second.files, third.files]).toEqual([10, 10]);
  expect(second.downloadedBytes).toBeLessThan(second.bytes);
  expect(third.downloadedBytes).toBe(0);

  /** The same person, in the same vault. */
  async function again() {
    const { deployment } = staged;
    staged = stage();
    Object.assign(staged.deployment, { store, dataKeys: deployment.dataKeys });
    expect(await download('--json')).toBe(0);
    return JSON.parse(staged.output.stdout);
  }
});

describe('what is in the way', () => {
  const path = `${ORDERS}/nb-1-big-Statistics.db`;
  const target = () => join(to, ONE.hostId, path);
  it.each([
    ['of another size', 'something else'],
    ['of the same size', 'STATISTICS'],
  ])('a file %s is named, and stays', async (_, content) => {
    await seal();
    await mkdir(dirname(target()), { recursive: true });
    await writeFile(target(), content);
    expect(await download()).toBe(3);
    expect(staged.output.stderr).toContain(`FileInTheWay: ${target()}`);
    expect(await readFile(target(), 'utf8')).toBe(content);
  });

  it('a file that appears meanwhile is named, and stays', async () => {
    await seal();
    const { receive } = staged.store;
    staged.store.receive = async (key, receiver) => {
      const isThere = await receive(key, receiver);
      // Of a pack alone a range is asked for.
      if (receiver.range) await writeFile(target(), 'somebody’s own');
      return isThere;
    };
    expect(await download()).toBe(3);
    expect(staged.output.stderr).toContain(`FileInTheWay: ${target()}`);
    expect(await readFile(target(), 'utf8')).toBe('somebody’s own');
  });

  it('a file instead of a directory is named, and stays', async () => {
    await seal();
    await mkdir(join(to, ONE.hostId), { recursive: true });
    await writeFile(join(to, ONE.hostId, 'shop'), 'a file');
    expect(await download()).toBe(3);
    expect(staged.output.stderr).toContain('FileInTheWay: ');
    expect(await readFile(join(to, ONE.hostId, 'shop'), 'utf8')).toBe('a file');
  });

  it('another backup’s files do not become a mixture', async () => {
    await seal();
    await seal([ONE], LATER);
    expect(await download(`--backup ${RUN} --include bank`)).toBe(0);
    const before = await found();
    expect(await download(`--backup ${LATER} --include shop`)).toBe(3);
    expect(staged.output.stderr).toContain(`FileInTheWay: ${join(to, 'backup.json')}`);
    expect(await found()).toEqual(before);
    expect(await download(`--backup ${RUN} --include shop`)).toBe(0);
  });

  it('another download that is going on is waited for by whoever asked', async () => {
    await seal();
    const lock = await tryLock(join(to, '.ringvault-download'));
    expect(await download()).toBe(3);
    expect(staged.output.stderr).toContain('DirectoryUnusable: ');
    if (lock !== 'held') await lock.release();
    expect(await download()).toBe(0);
  });
});

it('makes nothing where there is no room for all', async () => {
  await seal([
    {
      ...ONE,
      files: [...ONE.files, { path: `${LEDGER}/nb-2-big-Data.db`, content: '', sizeBytes: 2 ** 52 }],
    },
  ]);
  expect(await download()).toBe(3);
  expect(staged.output.stderr).toContain(`InsufficientSpace: ${to}: got`);
  expect(await found()).toEqual({});
});

it('says where the directory cannot be made', async () => {
  await seal();
  await writeFile(to, 'a file');
  expect(await download()).toBe(3);
  expect(staged.output.stderr).toContain(`DirectoryUnusable: ${to}: `);
});

it.each([
  ['download demo', 2, '--to'],
  [`download demo --to /tmp/x --backup ${LATER}`, 4, 'UnknownBackup'],
  ['download nobody --to /tmp/x', 4, 'UnknownCluster'],
  ['download demo --to /tmp/x --prefix /shop', 2, '--prefix'],
])('%s: exit %i', async (line, exitCode, named) => {
  await seal();
  expect(await staged.type(line)).toBe(exitCode);
  expect(staged.output.stderr).toContain(named);
});
