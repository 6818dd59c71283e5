import { expect, it } from 'vitest';
import { type Registered, summaryOf } from '../../contracts/registrations.ts';
import { arnOf, INSTANCE, RUN, record, stage } from './stage.ts';

const registered: Registered = {
  ...{ formatVersion: 1, clusterId: 'demo', runId: RUN, state: 'registered', changes: [] },
  ...{ registeredAt: '2026-11-20T02:00:00.000Z', seenAt: '2026-11-21T02:00:00.000Z' },
  topology: {
    ...{ clusterName: 'Demo "1"', partitioner: 'Murmur3', keyspaces: ['My Shop', 'app'] },
    schemaVersion: '11111111-1111-4111-8111-111111111111',
    nodes: [
      {
        ...{ hostId: '00000001-0000-4000-8000-000000000000', instanceId: INSTANCE, address: '10.0.0.1' },
        ...{ datacenter: 'dc1', rack: 'r1', tokens: ['1', '2'], cassandraVersion: '5.0.9' },
        dataDirectories: ['/data1', '/data 2'],
      },
    ],
  },
};

async function registeredStage(options: Parameters<typeof stage>[0] = {}) {
  const made = stage(options);
  const { know, store, layout, deployment } = made;
  await know('demo');
  await store.put(layout.registration('demo', RUN), JSON.stringify(registered), 'create');
  await made.catalog.putRegistration(summaryOf(registered));
  return { ...made, deployment };
}

it('register starts the workflow with its seed, and tells what changed', async () => {
  const { type, story, started, output } = stage();
  const executionArn = arnOf('register');
  const run = record({ workflow: 'register', executionArn, changes: ['keyspace "b" is new'], request: {} });
  story.push({ execution: { status: 'SUCCEEDED' }, run });
  expect(await type(`register demo --seed ${INSTANCE}`)).toBe(0);
  expect(started).toEqual([
    {
      workflow: 'register',
      input: {
        ...{ clusterId: 'demo', operation: 'register', seedInstanceId: INSTANCE, requestedBy: 'ana@desk' },
      },
    },
  ]);
  expect(output.stdout).toContain(`register ${RUN} of cluster demo: COMPLETED`);
  expect(output.stdout).toContain('changed    keyspace "b" is new');
  expect(await type('register demo --seed web-1')).toBe(2);
});

it('describes what a cluster is, for people and as JSON', async () => {
  const { type, output } = await registeredStage();
  expect(await type('describe demo')).toBe(0);
  expect(output.stdout).toContain('cluster     demo (Demo "1")');
  expect(output.stdout).toMatch(
    new RegExp(`${INSTANCE} .*10\\.0\\.0\\.1 .*r1 .*2 .*5\\.0\\.9 .*/data1, /data 2`),
  );
  output.stdout = '';
  expect(await type('describe demo --json')).toBe(0);
  expect(JSON.parse(output.stdout)).toEqual({ registration: registered });
});

it('lists clusters, registered or not', async () => {
  const { type, know, output } = await registeredStage();
  await know('other');
  expect(await type('clusters')).toBe(0);
  expect(output.stdout).toMatch(/^demo +Demo "1" +1 +dc1 +5\.0\.9 +2 +2026-11-20 02:00:00Z/m);
  expect(output.stdout).toMatch(/^other .*not registered/m);
});

it.each(['describe demo', 'unregister demo --yes'])(
  '%s: not registered is an error: exit 4',
  async (line) => {
    const { type, know, output, started } = stage();
    await know('demo');
    expect(await type(line)).toBe(4);
    expect(output.stderr).toContain('UnknownRegistration: cluster "demo" is not registered');
    expect(await type(line.replace('demo', 'dmeo'))).toBe(4);
    expect(output.stderr).toContain('UnknownCluster: got cluster "dmeo"');
    expect(started).toEqual([]);
  },
);

it('unregister asks, and says that backups stay', async () => {
  const refused = await registeredStage({ interactive: true, typed: 'no' });
  expect(await refused.type('unregister demo')).toBe(3);
  expect(refused.started).toEqual([]);
  expect(refused.output.stderr).toContain('Its backups and its history stay');
  const { type, started } = await registeredStage({ interactive: true, typed: 'demo' });
  expect(await type('unregister demo --no-wait')).toBe(0);
  expect(started).toMatchObject([{ workflow: 'register', input: { operation: 'unregister' } }]);
});
