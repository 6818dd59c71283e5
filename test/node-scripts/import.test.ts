// import: Cassandra is given what was staged, and every SSTable that it did not take is told.
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BackupSource } from '../../contracts/actions.ts';
import { isThere } from '../../node-scripts/durable-files.ts';
import { ITEMS, ORDERS, tablePath } from './fake-node.ts';
import { type HostWithSnapshot, hostWithSnapshot, RESTORE, RUN } from './host-with-snapshot.ts';

/** Takes SSTables as Cassandra does, by moving their files; `broken` takes none, and says that all is well. */
const NODETOOL = `#!/bin/sh
echo "$@" >> "$(dirname "$0")/asked"
[ -e "$(dirname "$0")/broken" ] && exit 0
keyspace=$3; table=$4; shift 4
stat -c %a "$@" > "$(dirname "$0")/modes"
for directory in "$@"; do rm -f "$directory"/*.db "$directory"/*.crc32 "$directory"/*.txt; done
`;

let host: HostWithSnapshot;
let source: BackupSource;
const file = (name: string) => join(host.root, name);
const staged = (index: number) => join(host.data[index] ?? '', '.ringvault', `${RESTORE}.new`);
const asked = async () => (await readFile(file('asked'), 'utf8')).trim().split('\n');

async function run(failPoint?: string) {
  const input = { sources: [source], tables: [ORDERS, ITEMS] };
  const plain = host.document(RESTORE, 'import', input);
  const cassandra = { ...plain.cassandra, nodetool: [file('nodetool')] };
  const document = await host.request({ ...plain, cassandra });
  const outcome = await host.carryOut(document, failPoint);
  return { outcome, answer: host.callback.answers.get(document.taskToken) };
}

beforeEach(async () => {
  host = await hostWithSnapshot();
  await writeFile(file('nodetool'), NODETOOL);
  await chmod(file('nodetool'), 0o755);
  source = host.sourceOf(RUN, await host.upload());
  await host.allowRestore();
  await host.run(RESTORE, 'download', { sources: [source], tables: [ORDERS, ITEMS] });
});
afterEach(() => host.remove());

it('names each table once, with its directories in all data directories, and leaves no staging behind', async () => {
  const { answer } = await run();
  const [files, bytes] = [expect.any(Number), expect.any(Number)];
  expect(answer).toEqual({ output: { tables: 2, files, bytes } });
  const directories = [0, 1].map((index) => join(staged(index), tablePath(ORDERS)));
  expect(await asked()).toEqual([`import --no-tokens shop orders ${directories.join(' ')}`]);
  expect(await Promise.all([0, 1].map((index) => isThere(staged(index))))).toEqual([false, false]);
});

it('lets Cassandra into what was staged only then', async () => {
  const mode = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8);
  expect(await mode(staged(0))).toBe('700');
  await run();
  const modes = await Promise.all(host.data.map(mode));
  expect((await readFile(file('modes'), 'utf8')).trim().split('\n')).toEqual(modes);
});

it('fails where Cassandra took nothing and said that it succeeded', async () => {
  await writeFile(file('broken'), '');
  expect((await run()).answer).toMatchObject({
    error: {
      errorName: 'ImportIncomplete',
      message: expect.stringMatching(/got 2 SSTables not taken \(nb-1-big-Data\.db/),
    },
  });
  expect(await isThere(staged(0))).toBe(true);
});

it('is not begun with less than was staged', async () => {
  await writeFile(join(staged(0), tablePath(ORDERS), 'nb-1-big-Data.db'), 'short');
  expect((await run()).answer).toMatchObject({ error: { errorName: 'RestoreIncomplete' } });
  expect(await isThere(file('asked'))).toBe(false);
});

it('goes on after a kill between an import and its end', async () => {
  expect((await run('import.table:fail')).outcome).toBe('failed');
  expect((await run()).answer).toMatchObject({ output: { tables: 2 } });
  expect(await asked()).toHaveLength(1);
});
