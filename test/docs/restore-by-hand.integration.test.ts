// docs/restore-by-hand.py against a vault that was written from the page alone: all of it, or a refusal by name.
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type ClusterManifest,
  clusterManifest,
  type ListedFile,
  listedFile,
  nodeHeader,
} from '../../contracts/manifests.ts';
import {
  BACKUP_ID,
  CLUSTER_ID,
  HOST_ID,
  type PlannedFile,
  pathOf,
  sha256,
  URIS,
  writeStandIn,
  writeVault,
} from './hand-made-vault.ts';

const SCRIPT = 'docs/restore-by-hand.py';
const ORDERS = `shop/orders-${'5e2f0b60c6d911f0a1b2c3d4e5f60718'}`;
const LINES = `shop/OrderLines-${'6e2f0b60c6d911f0a1b2c3d4e5f60718'}`;
const ROLES = `system_auth/roles-${'7e2f0b60c6d911f0a1b2c3d4e5f60718'}`;
const BIG = Buffer.alloc(2_500_000, 'data of more than a block, ');

const FILES: PlannedFile[] = [
  { path: `${ORDERS}/nb-1-big-Data.db`, content: BIG },
  { path: `${ORDERS}/nb-1-big-Digest.crc32`, content: '123456', pack: 'one' },
  { path: `${ORDERS}/nb-1-big-Filter.db`, content: '', pack: 'one' },
  { path: `${ORDERS}/nb-1-big-SAI+ba+by_stock+Meta.db`, content: 'index', pack: 'one' },
  { path: `${ORDERS}/nb-1-big-Statistics.db`, content: BIG.subarray(5), pack: 'one' },
  { path: `${ORDERS}/.orders_by_day/nb-1-big-Data.db`, content: 'of an index of the old kind' },
  { path: `${ORDERS}/nb-2-big-Data.db`, dataDirectory: 1, content: 'tiny', pack: 'two', variant: '2' },
  { path: `${ORDERS}/nb-2-big-TOC.txt`, dataDirectory: 1, content: 'Data.db\n', pack: 'two', variant: '2' },
  { path: `${LINES}/nb-1-big-Data.db`, dataDirectory: 0, content: 'in both data directories' },
  { path: `${LINES}/nb-1-big-Data.db`, dataDirectory: 1, content: 'in both data directories' },
  { path: `${LINES}/nb-1-big-Ünïcode.db`, content: 'tampered with', variant: '2' },
  { path: `${LINES}/nb-1-big-Filter.db`, content: '' },
  { path: `${LINES}/nb-2-big-Data.db`, content: `compressed ${BIG}`, variant: 'zst' },
  { path: `${LINES}/nb-2-big-Filter.db`, content: 'compressed', pack: 'three', variant: 'zst.2' },
  { path: `${LINES}/nb-2-big-Statistics.db`, content: 'and packed', pack: 'three', variant: 'zst.2' },
  { path: `${ROLES}/nb-1-big-Data.db`, content: 'roles' },
];
const ENCRYPTED: PlannedFile[] = [
  { path: `${LINES}/nb-3-big-Data.db`, content: BIG.subarray(9), variant: 'enc' },
  { path: `${LINES}/nb-3-big-Filter.db`, content: Buffer.alloc(65_536, 'a whole chunk'), variant: 'enc' },
  { path: `${LINES}/nb-4-big-Data.db`, content: `encrypted ${BIG}`, variant: 'zst.enc' },
  { path: `${LINES}/nb-4-big-Filter.db`, content: 'encrypted', pack: 'four', variant: 'zst.enc.2' },
  { path: `${LINES}/nb-4-big-Statistics.db`, content: 'and packed', pack: 'four', variant: 'zst.enc.2' },
];
const OF_USERS = FILES.filter(({ path }) => path.startsWith('shop/'));

/** Itself: a version manager's `python3` may put its own `aws` before others on the PATH. */
let python: string;
beforeAll(async () => {
  ({ stdout: python } = await execa('python3', ['-c', 'import sys; print(sys.executable)']));
});

let root: string;
let targets: [string, string];
let aws: Awaited<ReturnType<typeof writeStandIn>>;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ringvault-by-hand-'));
  targets = [join(root, 'staged/0'), join(root, 'staged/1')];
  aws = await writeStandIn(root);
});
afterEach(() => rm(root, { recursive: true }));

async function script(...args: string[]) {
  await writeFile(aws.requests, '');
  const env = { PATH: `${aws.binDirectory}:${process.env['PATH']}` };
  const documents = ['--documents', join(root, 'documents')];
  // -S: the standard library has to do.
  const words = ['-S', SCRIPT, URIS.vault, CLUSTER_ID, BACKUP_ID, ...args, ...documents];
  const { exitCode, stdout, stderr } = await execa(python, words, { env, reject: false });
  const requests = (await readFile(aws.requests, 'utf8')).trim().split('\n');
  const objects = requests.filter((uri) => uri.includes('/objects/'));
  return { exitCode, stdout, stderr, objects, kms: requests.filter((each) => each.startsWith('kms')) };
}
const restore = (...options: string[]) => script(HOST_ID, ...targets, ...options);

/** Index of the data directory and path → hash of the content. */
async function staged(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [index, target] of targets.entries()) {
    const entries = await readdir(target, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries.filter((each) => each.isFile())) {
      const path = join(entry.parentPath, entry.name);
      found[`${index} ${relative(target, path)}`] = sha256(await readFile(path));
    }
  }
  return found;
}
const planned = (files: readonly PlannedFile[]) =>
  Object.fromEntries(
    files.map(({ path, dataDirectory = 0, content }) => [`${dataDirectory} ${path}`, sha256(content)]),
  );
const without = (...paths: string[]) => planned(OF_USERS.filter(({ path }) => !paths.includes(path)));

/** Turns one bit of a stored object. */
async function flip(uri: string, at: number): Promise<void> {
  const bytes = await readFile(pathOf(root, uri));
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(pathOf(root, uri), bytes);
}

describe('what it restores', () => {
  it('is the user keyspaces as they were, each object fetched once', async () => {
    const { manifest, header, lines } = await writeVault(root, FILES);
    // The page's vault is the product's.
    clusterManifest.parse(manifest);
    nodeHeader.parse(header);
    for (const line of lines) listedFile.parse(line);
    const { exitCode, stderr, objects, kms } = await restore();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(await staged()).toEqual(planned(OF_USERS));
    expect(new Set(objects).size).toBe(objects.length);
    expect(objects).toHaveLength(9);
    expect(kms).toEqual([]);
    expect(await readdir(targets[0])).toEqual(['shop']);
    expect(await readFile(join(root, 'documents/schema.cql'), 'utf8')).toMatch(/^CREATE KEYSPACE/);
  });

  it('is a consistent backup, too', async () => {
    const [askedAt, pausedAt] = ['2026-11-21T02:00:00.000Z', '2026-11-21T02:00:01.000Z'];
    const application = { name: 'orders.internal:7070', address: '10.0.0.1', port: 7070 };
    const pause = { askedAt, applications: [{ ...application, pausedAt, confirmed: true }] };
    const consistent = (manifest: object) =>
      clusterManifest.parse({ ...manifest, kind: 'consistent', pause });
    await writeVault(root, FILES, { manifest: consistent });
    const { exitCode, stderr } = await restore();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });

  describe('of a chain', () => {
    const BASE = '20261120t020000z-0a1b2c3d';
    const GONE = `shop/gone-${'8e2f0b60c6d911f0a1b2c3d4e5f60718'}`;
    const SINCE: PlannedFile[] = [
      { path: `${LINES}/nb-7-big-Data.db`, content: 'written since' },
      { path: `${ORDERS}/nb-7-big-Data.db`, dataDirectory: 1, content: 'written since, too' },
    ];
    const writeChain = async (
      since: PlannedFile[],
      ofBase: PlannedFile[] = FILES,
      schemaVersion?: string,
    ) => {
      const base = await writeVault(
        root,
        ofBase,
        { header: (header) => ({ ...header, ...(schemaVersion && { schemaVersion }) }) },
        BASE,
      );
      const link = { backupId: BASE, manifestSha256: base.manifestSha256 };
      await writeVault(root, since, {
        manifest: (manifest) => ({ ...manifest, kind: 'incremental', base: link, previous: link }),
      });
    };

    it('is base and increment, of the tables that there were last', async () => {
      await writeChain(SINCE, [...FILES, { path: `${GONE}/nb-1-big-Data.db`, content: 'dropped since' }]);
      const { exitCode, stderr } = await restore();
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(await staged()).toEqual(planned([...OF_USERS, ...SINCE]));
    });

    it('has the system keyspaces of its base, unless the schema was changed since', async () => {
      await writeChain(SINCE);
      expect((await restore('--system')).exitCode).toBe(0);
      expect(await staged()).toEqual(planned([...FILES, ...SINCE]));
      await rm(targets[0], { recursive: true });
      await writeChain(SINCE, FILES, '2f0c6d2e-9f33-3c7f-8b8a-0123456789ab');
      const { exitCode, stderr } = await restore('--system');
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`restore the base ${BASE} alone`);
    });

    it('is nothing where two of its files of one path are not the same, or its base is another', async () => {
      await writeChain([{ path: `${LINES}/nb-2-big-Filter.db`, content: 'another' }, ...SINCE]);
      const { exitCode, stderr } = await restore();
      expect({ exitCode, path: stderr.includes(`${LINES}/nb-2-big-Filter.db`) }).toEqual({
        exitCode: 1,
        path: true,
      });
      await writeChain(SINCE);
      await writeVault(root, FILES.slice(0, 1), {}, BASE);
      expect((await restore()).stderr).toMatch(new RegExp(`${BASE}/backup.json: SHA-256: got`));
      expect(await staged()).toEqual({});
    });

    it('is named by the list', async () => {
      await writeChain(SINCE);
      expect((await script('--list')).stdout).toContain(`It goes on from ${BASE}`);
    });
  });

  it('is what the hosts encrypted, too, KMS asked once for its key', async () => {
    await writeVault(root, ENCRYPTED);
    const { exitCode, stderr, kms } = await restore();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(await staged()).toEqual(planned(ENCRYPTED));
    expect(kms).toHaveLength(1);
  });

  it('is kept by a second run, which fetches only what is missing or wrong', async () => {
    await writeVault(root, FILES);
    await restore();
    expect(await restore()).toMatchObject({ exitCode: 0, objects: [] });
    await rm(join(targets[0], ORDERS, 'nb-1-big-Filter.db'));
    const wrong = Buffer.from(BIG);
    wrong[7] = 0;
    await writeFile(join(targets[0], ORDERS, 'nb-1-big-Data.db'), wrong);
    const { exitCode, objects } = await restore();
    expect(exitCode).toBe(0);
    expect(objects).toHaveLength(2);
    expect(await staged()).toEqual(planned(OF_USERS));
  });

  it('goes on where a run was killed', async () => {
    await writeVault(root, FILES);
    const parts = join(targets[1], '.ringvault-parts');
    await mkdir(parts, { recursive: true });
    await writeFile(join(parts, '4711-0'), 'half of a fi');
    expect(await restore()).toMatchObject({ exitCode: 0 });
    expect(await staged()).toEqual(planned(OF_USERS));
  });

  it('is one table, the system keyspaces too, or nothing where a table is unknown', async () => {
    await writeVault(root, FILES);
    expect(await restore('--table', 'shop.OrderLines')).toMatchObject({ exitCode: 0 });
    expect(await staged()).toEqual(planned(FILES.filter(({ path }) => path.startsWith(LINES))));
    expect(await restore('--table', 'shop.empty')).toMatchObject({ exitCode: 0, objects: [] });
    const unknown = await restore('--table', 'shop.order');
    expect(unknown).toMatchObject({ exitCode: 1, objects: [] });
    expect(unknown.stderr).toContain('got shop.order, expected of shop.OrderLines shop.empty shop.orders');
    expect(await restore('--system')).toMatchObject({ exitCode: 0 });
    expect(await staged()).toEqual(planned(FILES));
  });

  it('is whole where a pack’s files are far apart in the listing', async () => {
    const many = Array.from({ length: 1_200 }, (_, index) => ({
      path: `${ORDERS}/nb-${index + 1}-big-Data.db`,
      content: `${index % 30}`,
      pack: `${index % 2}`,
    }));
    await writeVault(root, many);
    const { exitCode, objects } = await restore();
    expect(exitCode).toBe(0);
    expect(objects).toHaveLength(4);
    expect(await staged()).toEqual(planned(many));
  });

  it('needs a target for each data directory, and a host of the backup', async () => {
    await writeVault(root, FILES);
    expect((await script(HOST_ID, targets[0])).stderr).toContain(
      'got 1, expected one for each of /data/1 /data/2',
    );
    const other = await script('00000000-8b86-4d01-b42d-00cf4fc964ff', ...targets);
    expect(other.stderr).toContain(`expected one of ${HOST_ID}`);
    expect(await script(HOST_ID)).toMatchObject({ exitCode: 2 });
    expect(await staged()).toEqual({});
  });
});

it('lists the nodes of a backup', async () => {
  await writeVault(root, FILES);
  const { exitCode, stdout, objects } = await script('--list');
  expect({ exitCode, objects }).toEqual({ exitCode: 0, objects: [] });
  expect(stdout).toMatch(new RegExp(`^${HOST_ID} arn:aws:ec2:\\S+ 16 files, \\d+ bytes of /data/1 /data/2$`));
});

describe('damage is named, and the rest is restored', () => {
  it.each([
    ['a chunk', 600, /exit code 1 of node.*cannot be decrypted/s],
    ['the wrapped key', 20, /exit code 254 of aws kms decrypt.*InvalidCiphertextException/s],
  ])('of an encrypted object: %s', async (_, at, message) => {
    await writeVault(root, ENCRYPTED);
    const [{ path, content } = { path: '', content: '' }] = ENCRYPTED;
    await flip(URIS.object(sha256(Buffer.from(content)), '.enc'), at);
    const { exitCode, stdout, stderr } = await restore();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).toContain(path);
    expect(stdout).toContain('4 files made, 0 there already, 1 FAILED');
    expect(await staged()).toEqual(planned(ENCRYPTED.slice(1)));
  });

  let lines: ListedFile[];
  beforeEach(async () => {
    ({ lines } = await writeVault(root, FILES));
  });
  const lineOf = (path: string) => {
    const line = lines.find((each) => each.path === path);
    if (!line) throw new Error(`no ${path}`);
    return line;
  };

  const data = `${ORDERS}/nb-1-big-Data.db`;
  it.each<[string, (uri: string) => Promise<void>, RegExp]>([
    ['turned bit', (uri) => flip(uri, 1_234_567), /SHA-256: got [0-9a-f]{64}, expected [0-9a-f]{64}/],
    ['lost end', (uri) => truncate(pathOf(root, uri), BIG.length - 1), /size: got 2499999, expected 2500000/],
    ['longer end', (uri) => appendFile(pathOf(root, uri), '!'), /size: got 2500001, expected 2500000/],
    ['missing object', (uri) => rm(pathOf(root, uri)), /got exit code 1 of aws s3 cp, expected 0: .*No such/],
  ])('object: %s', async (_what, damage, message) => {
    const uri = URIS.object(lineOf(data).sha256);
    await damage(uri);
    const { exitCode, stderr, stdout } = await restore();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).toContain(`FAILED: ${data}: ${uri}: `);
    expect(stdout).toContain('14 files made, 0 there already, 1 FAILED');
    expect(await staged()).toEqual(without(data));
  });

  it('pack: what is right in it is restored', async () => {
    const { pack = '' } = lineOf(`${ORDERS}/nb-1-big-Digest.crc32`);
    await flip(URIS.object(pack), 2);
    const { exitCode, stderr } = await restore();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`FAILED: a pack: ${URIS.object(pack)}: SHA-256: got`);
    expect(stderr).toContain(`FAILED: ${ORDERS}/nb-1-big-Digest.crc32: ${URIS.object(pack)}: SHA-256: got`);
    expect(await staged()).toEqual(without(`${ORDERS}/nb-1-big-Digest.crc32`));
  });

  it('compressed object that was cut', async () => {
    const uri = URIS.object(lineOf(`${LINES}/nb-2-big-Data.db`).sha256, '.zst');
    await truncate(pathOf(root, uri), 100);
    const { exitCode, stderr } = await restore();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `FAILED: ${LINES}/nb-2-big-Data.db: ${uri}: got exit code 1 of zstd, expected 0`,
    );
    expect(await staged()).toEqual(without(`${LINES}/nb-2-big-Data.db`));
  });

  it('pack that is missing: all its files are named', async () => {
    const toc = `${ORDERS}/nb-2-big-TOC.txt`;
    const tiny = `${ORDERS}/nb-2-big-Data.db`;
    const uri = URIS.object(lineOf(toc).pack ?? '', '.2');
    await rm(pathOf(root, uri));
    const { exitCode, stderr } = await restore();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`FAILED: ${tiny} ${toc}: ${uri}: got exit code 1`);
    expect(await staged()).toEqual(without(tiny, toc));
  });

  it.each([
    ['node header', URIS.header],
    ['listing', URIS.listing],
    ['schema', URIS.schemaCql],
  ])('%s: nothing is restored', async (_what, uri) => {
    await flip(uri, 30);
    const { exitCode, stderr } = await restore();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(new RegExp(`FAILED: ${uri}: SHA-256: got [0-9a-f]{64}, expected [0-9a-f]{64}`));
    expect(await staged()).toEqual({});
  });
});

describe('what it does not understand is refused before a file is made', () => {
  const [firstPath = ''] = OF_USERS.map(({ path }) => path).sort();
  const first = (change: object) => ({
    lines: (lines: ListedFile[]) =>
      lines.map((line) => (line.path === firstPath ? { ...line, ...change } : line)),
  });
  const newer = <Value extends object>(value: Value) => ({ ...value, formatVersion: 2 });
  const unknown = <Value extends object>(value: Value) => ({ ...value, zstd: true });

  it.each<[string, Parameters<typeof writeVault>[2], RegExp]>([
    ['newer manifest', { manifest: newer }, /backup\.json: formatVersion: got 2, expected 1/],
    ['newer header', { header: newer }, /node\.json: formatVersion: got 2, expected 1/],
    ['field of the manifest', { manifest: unknown }, /backup\.json: got the fields .* zstd, expected/],
    ['field of the header', { header: unknown }, /node\.json: got the fields .* zstd, expected/],
    [
      'field within',
      { header: (it) => ({ ...it, listing: unknown(it.listing) }) },
      /node\.json: listing: .* zstd/,
    ],
    ['field of a line', first({ zstd: true }), /files\.gz: line 1: got the fields .* zstd, expected/],
    ['path outside', first({ path: `../x-${'0'.repeat(32)}/a` }), /line 1: got \{"path":"\.\.\//],
    ['absolute path', first({ path: `/etc/x-${'0'.repeat(32)}/a` }), /line 1: got \{"path":"\/etc/],
    ['pack without offset', first({ pack: '0'.repeat(64) }), /line 1: got .*, expected a file/],
    ['data directory', first({ dataDirectory: 2 }), /line 1: got .*, expected a file/],
    ['variant', first({ variant: '3' }), /line 1: got .*, expected a file/],
    ['lines too few', { lines: (lines) => lines.slice(1) }, /files\.gz: .*: got .*, expected/],
    [
      'another cluster',
      { manifest: (it) => ({ ...it, clusterId: 'other' }) },
      /clusterId: got other, expected demo/,
    ],
    ['another node', { header: (it) => ({ ...it, hostId: 'other' }) }, /hostId: got other, expected/],
  ])('%s', async (_what, edits, message) => {
    await writeVault(root, FILES, edits);
    const { exitCode, stderr } = await restore();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('Traceback');
    expect(await staged()).toEqual({});
  });

  it('a host ID that leads out of the documents', async () => {
    const climb = (it: ClusterManifest) => ({
      ...it,
      nodes: it.nodes.map((node) => ({ ...node, hostId: '../climbed' })),
    });
    await writeVault(root, FILES, { manifest: climb });
    const { exitCode, stderr } = await script('--list');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('got host ID ../climbed, expected a UUID');
    expect(await readdir(root)).not.toContain('climbed');
  });

  it('a manifest that is cut off', async () => {
    await writeVault(root, FILES);
    await truncate(pathOf(root, URIS.manifest), 100);
    const { exitCode, stderr } = await restore();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`FAILED: ${URIS.manifest}: got no JSON, expected an object`);
  });

  it('another manifest than the one asked for by its hash', async () => {
    const { manifestSha256 } = await writeVault(root, FILES);
    expect(await restore('--sha256', '0'.repeat(64))).toMatchObject({ exitCode: 1, objects: [] });
    expect(await restore('--sha256', manifestSha256)).toMatchObject({ exitCode: 0 });
  });
});
