// describe of a host whose node is down: what test/cassandra does not show with a real one.
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fakeNode } from './fake-node.ts';
import { type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const RUN = '20261121t030000z-0a1b2c3d';
let host: HostUnderTest;
let data: string[];

beforeEach(async () => {
  host = await hostUnderTest();
  data = await fakeNode(host);
});
afterEach(() => host.remove());

async function described() {
  const document = await host.request(host.document(RUN, 'describe', {}));
  await host.carryOut(document);
  return host.callback.answers.get(document.taskToken);
}

it('names all data directories', async () => {
  expect(await described()).toMatchObject({
    output: { cassandra: 'down', dataDirectories: data.map((path) => ({ path })) },
  });
});

it('fails by name where one of them is not there', async () => {
  const [, second = ''] = data;
  await rm(second, { recursive: true });
  expect(await described()).toMatchObject({
    error: { errorName: 'DataDirectoryMissing', message: expect.stringContaining(second) },
  });
});
