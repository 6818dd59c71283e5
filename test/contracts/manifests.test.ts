import { expect, it } from 'vitest';
import { listedFile } from '../../contracts/manifests.ts';

const ORDERS = `shop/orders-${'1'.repeat(32)}`;
const file = { dataDirectory: 0, sizeBytes: 1, sha256: 'a'.repeat(64) };

it.each([
  ['a table', `${ORDERS}/nb-1-big-Data.db`, true],
  ['an index', `${ORDERS}/.by_day/nb-1-big-Data.db`, true],
  ['a directory above', `${ORDERS}/../evil`, false],
  ['a directory above, after a line feed', `shop\n/orders-${'1'.repeat(32)}/../evil`, false],
  ['the root', `/${ORDERS}/nb-1-big-Data.db`, false],
])('a listing names a file of %s: %s', (_, path, isTaken) => {
  expect(listedFile.safeParse({ ...file, path }).success).toBe(isTaken);
});

it('a listing names the key of what is encrypted, and of nothing else', () => {
  const path = `${ORDERS}/nb-1-big-Data.db`;
  const encryptionKey = 'arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000';
  const isTaken = (more: object) => listedFile.safeParse({ ...file, path, ...more }).success;
  expect(isTaken({ variant: 'zst.enc', encryptionKey })).toBe(true);
  expect(isTaken({ variant: 'enc' })).toBe(false);
  expect(isTaken({ variant: 'zst', encryptionKey })).toBe(false);
});
