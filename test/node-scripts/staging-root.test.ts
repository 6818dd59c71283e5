// Where a restore stages, nobody else changes names; when it is given away, all of it is whoever's the data directory is.
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isThere } from '../../node-scripts/durable-files.ts';
import { openStaging, type Staging } from '../../node-scripts/transfer/staging.ts';
import { giveStagingAway } from '../../node-scripts/transfer/staging-root.ts';

const RUN = '20261121t040000z-0a1b2c3d';
const FILE = { path: 'shop/orders-1/.by_name/nb-1-big-Data.db', dataDirectory: 0, sizeBytes: 1, sha256: '' };
/** Whom root gives to. */
const isRoot = process.geteuid?.() === 0;
const OWNER = isRoot ? 4_711 : (process.geteuid?.() ?? 0);

let root: string;
let data: string;
let victim: string;
let staging: Staging | undefined;
const ringvault = () => join(data, '.ringvault');
const staged = () => join(ringvault(), `${RUN}.new`);
const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'staging-root-'));
  [data, victim] = [join(root, 'data'), join(root, 'victim')];
  await mkdir(data, { mode: 0o755 });
  await mkdir(victim);
  if (isRoot) await chown(data, OWNER, OWNER);
});
afterEach(async () => {
  await staging?.close();
  staging = undefined;
  await rm(root, { recursive: true });
});
const open = async () => {
  staging = await openStaging([data], RUN);
  return staging;
};

it('is only ours', async () => {
  const { target } = await (await open()).fileOf(FILE);
  await writeFile(target, 'x');
  expect(await modeOf(staged())).toBe(0o700);
  expect((await stat(staged())).uid).toBe(process.geteuid?.());
  expect(await isThere(join(staged(), FILE.path))).toBe(true);
});

it('is the same one for who goes on', async () => {
  await writeFile((await (await open()).fileOf(FILE)).target, 'x');
  await staging?.close();
  expect(await isThere((await (await open()).fileOf(FILE)).target)).toBe(true);
});

describe('what Cassandra’s user does with names above it', () => {
  it('leads no file elsewhere', async () => {
    const { fileOf } = await open();
    await rename(ringvault(), `${ringvault()}.moved`);
    await mkdir(join(victim, `${RUN}.new`));
    await symlink(victim, ringvault());
    await writeFile((await fileOf(FILE)).target, 'x');
    expect(await readdir(victim, { recursive: true })).toEqual([`${RUN}.new`]);
    expect(await isThere(join(`${ringvault()}.moved`, `${RUN}.new`, FILE.path))).toBe(true);
  });

  it.each<[string, () => Promise<void>]>([
    ['a link above it', () => symlink(victim, ringvault())],
    ['a link', () => mkdir(ringvault()).then(() => symlink(victim, staged()))],
    [
      'a directory that others may write in',
      async () => {
        await mkdir(staged(), { recursive: true });
        await chmod(staged(), 0o777);
      },
    ],
  ])('is refused, where it is %s', async (_, make) => {
    await make();
    await expect(open()).rejects.toMatchObject({ name: 'FileInTheWay' });
    expect(await readdir(victim)).toEqual([]);
  });
});

describe('given away', () => {
  it('is of the data directory’s owner and mode, however often', async () => {
    await (await open()).fileOf(FILE);
    for (let time = 0; time < 2; time += 1) {
      await giveStagingAway([data], RUN);
      for (const path of ['', 'shop', 'shop/orders-1', 'shop/orders-1/.by_name']) {
        expect(await modeOf(join(staged(), path)), path).toBe(await modeOf(data));
        expect((await stat(join(staged(), path))).uid, path).toBe(OWNER);
      }
    }
  });

  it('takes nothing along that a link leads to, nor fails where there is nothing', async () => {
    await giveStagingAway([data], RUN);
    await open();
    const before = await stat(victim);
    await symlink(victim, join(staged(), 'shop'));
    await giveStagingAway([data], RUN);
    expect(await stat(victim)).toMatchObject({ uid: before.uid, mode: before.mode });
  });
});
