import { expect, it } from 'vitest';
import { arnOf, INSTANCE, RUN, record, stage } from './stage.ts';

it('lists the runs of all clusters, newest first', async () => {
  const { type, know, remember, output } = stage();
  await know('demo');
  await know('other');
  for (const run of [
    record({ startedAt: '2026-11-20T02:00:00.000Z', endedAt: '2026-11-20T02:03:05.000Z' }),
    record({
      clusterId: 'other',
      runId: '20261121t030000z-ffffffff',
      startedAt: '2026-11-21T03:00:00.000Z',
      status: 'FAILED',
      error: { errorName: 'NodeDown', message: 'm', hint: 'h' },
    }),
  ])
    await remember(run);
  expect(await type('list')).toBe(0);
  const [head, first, second] = output.stdout.split('\n').filter((line) => line !== '');
  expect(head).toMatch(/^CLUSTER +RUN +WORKFLOW +KIND +STATUS/);
  expect(first).toMatch(/^other .*FAILED.*NodeDown/);
  expect(second).toMatch(/^demo .*COMPLETED.*3m05s.*120.*3\.0 MiB.*1\.0 MiB/);
});

it('lists as one JSON document, filtered', async () => {
  const { type, remember, output } = stage();
  for (const run of [record(), record({ runId: '20261121t010000z-ffffffff', status: 'FAILED' })])
    await remember(run);
  expect(await type('list demo --status completed --json')).toBe(0);
  expect(JSON.parse(output.stdout).runs).toEqual([record()]);
  expect(output.stderr).toBe('');
});

it('lists one kind of backup, and refuses a kind that there is not', async () => {
  const { type, remember, output } = stage();
  await remember(record({ kind: 'snapshot' }));
  await remember(record({ runId: '20261121t030000z-ffffffff', workflow: 'restore' }));
  expect(await type('list demo --kind snapshot --json')).toBe(0);
  expect(JSON.parse(output.stdout).runs).toEqual([record({ kind: 'snapshot' })]);
  expect(await type('list demo --kind hourly')).toBe(2);
  expect(output.stderr).toContain("'hourly' is invalid");
});

it('lists by node what became of it, and by backup who restored it', async () => {
  const { type, know, remember, output } = stage();
  await know('demo');
  const RESTORE = '20261121t030000z-ffffffff';
  const error = { errorName: 'DataRot', message: 'm', hint: 'h' };
  const nodes = [{ instanceId: INSTANCE, status: 'FAILED' as const, phase: 'upload', error }];
  await remember(record({ backupId: RUN, nodes }));
  await remember(record({ workflow: 'restore', runId: RESTORE, backupId: RUN }));
  expect(await type(`list demo --node ${INSTANCE}`)).toBe(0);
  expect(output.stdout).toMatch(new RegExp(`${RUN} .*FAILED.*DataRot`));
  expect(output.stdout).not.toContain(RESTORE);
  expect(await type(`list demo --backup ${RUN}`)).toBe(0);
  expect(output.stdout).toContain(RESTORE);
  output.stdout = '';
  expect(await type(`list demo --node ${INSTANCE} --workflow restore`)).toBe(0);
  expect(output.stdout).toBe('No run matches.\n');
});

it.each([
  ['--node i-0123456789abcdef9', 4, 'UnknownNode: cluster "demo" has no run with node i-0123456789abcdef9'],
  ['--node 5e2f0b60-c6d9-41f0-a1b2-c3d4e5f60718 --status failed', 4, 'UnknownNode'],
  ['--backup 20261121t030000z-eeeeeeee', 4, 'UnknownBackup: cluster "demo" has no backup'],
  ['--node web-1', 2, 'web-1'],
])('list demo %s: an ID that is unknown is an error: exit %i', async (options, exitCode, message) => {
  const { type, know, remember, output } = stage();
  await know('demo');
  await remember(record());
  expect(await type(`list demo ${options}`)).toBe(exitCode);
  expect(output.stderr).toContain(message);
});

it('says what to do where there is no run yet', async () => {
  const { type, output } = stage();
  expect(await type('list')).toBe(0);
  expect(output.stdout).toContain('ringvault backup');
});

it.each(['list dmeo', 'status dmeo', 'restore dmeo --yes', 'undo dmeo --yes', 'cancel dmeo'])(
  '%s: an unknown cluster is named, with those that are known: exit 4',
  async (line) => {
    const { type, know, output, started } = stage();
    await know('demo');
    expect(await type(line)).toBe(4);
    expect(output.stderr).toContain('UnknownCluster: got cluster "dmeo", expected one that had a run: demo');
    expect(started).toEqual([]);
  },
);

it('an unknown run of a known cluster is named: exit 4', async () => {
  const { type, know, output } = stage();
  await know('demo');
  expect(await type(`status demo ${RUN} --json`)).toBe(4);
  expect(JSON.parse(output.stdout).error.errorName).toBe('UnknownRun');
});

it('shows the run that people asked for, not the Recover run that followed it', async () => {
  const { type, remember, output } = stage();
  const error = { errorName: 'NoHosts', message: 'got none', hint: 'Tag them.' };
  await remember(record({ status: 'FAILED', error }));
  const recovery = {
    runId: '20261121t030000z-eeeeeeee',
    executionArn: arnOf('recover'),
    recoveredRunId: RUN,
  };
  await remember(record({ workflow: 'recover', ...recovery }));
  expect(await type('status demo')).toBe(0);
  expect(output.stdout).toContain(`backup ${RUN} of cluster demo: FAILED`);
  expect(output.stdout).toContain('NoHosts: got none\nTag them.');
  expect(output.stdout.split('NoHosts')).toHaveLength(2);
});

it('shows a run under way with what its hosts report', async () => {
  const { type, remember, story, store, layout, output } = stage();
  const { endedAt, files, bytes, uploadedBytes, ...begun } = record({ status: 'STARTED' });
  for (const run of [begun]) await remember(run);
  story.push({
    execution: { status: 'RUNNING' },
    run: begun,
    nodes: [{ instanceId: INSTANCE, status: 'STARTED', phase: 'upload' }],
  });
  const key = layout.progress(`arn:aws:ec2:eu-west-1:111122223333:instance/${INSTANCE}`, `${RUN}.upload`);
  await store.put(
    key,
    JSON.stringify({
      formatVersion: 1,
      runId: RUN,
      phase: 'upload',
      state: 'running',
      filesDone: 7,
      filesTotal: 9,
      bytesDone: 2048,
      bytesTotal: 4096,
      bytesSkipped: 1024,
      bytesHashed: 1024,
      bytesTransferred: 1024,
      requestsRetried: 0,
      bytesPerSecond: 512,
      secondsLeft: 4,
      updatedAt: '2026-11-21T02:00:01.000Z',
    }),
    'overwrite',
  );
  expect(await type('status demo')).toBe(0);
  expect(output.stdout).toContain(`backup ${RUN} of cluster demo: STARTED`);
  expect(output.stdout).toContain(`RUNNING ${arnOf('backup')}`);
  expect(output.stdout).toMatch(new RegExp(`${INSTANCE} .*STARTED +upload +7 +2\\.0 KiB`));
});
