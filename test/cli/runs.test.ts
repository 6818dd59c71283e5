import { expect, it } from 'vitest';
import type { Lock } from '../../adapters/ports.ts';
import { ClusterBusy } from '../../contracts/errors.ts';
import type { RunRecord } from '../../contracts/runs.ts';
import { arnOf, INSTANCE, RUN, record, stage } from './stage.ts';

const begun: RunRecord = (({ endedAt, files, bytes, uploadedBytes, ...rest }) => rest)(
  record({ status: 'STARTED' }),
);
const node = { instanceId: INSTANCE, phase: 'upload' };
const lockOf = (workflow: Lock['workflow']): Lock => ({
  clusterId: 'demo',
  runId: workflow === 'recover' ? '20261121t020100z-eeeeeeee' : RUN,
  workflow,
  executionArn: arnOf(workflow),
  subjectRunId: RUN,
  fence: 2,
  leaseUntil: '2026-12-21T02:00:00.000Z',
});

it('backs up, tells progress on stderr and the end on stdout', async () => {
  const { type, story, started, output } = stage();
  story.push(
    { execution: {} },
    { execution: {}, run: begun, nodes: [{ ...node, status: 'STARTED' }] },
    {
      execution: { status: 'SUCCEEDED' },
      run: record(),
      nodes: [{ ...node, status: 'COMPLETED', files: 120, bytes: 2_048 }],
    },
  );
  expect(await type('backup demo')).toBe(0);
  expect(started).toEqual([
    { workflow: 'backup', input: { clusterId: 'demo', kind: 'snapshot', requestedBy: 'ana@desk' } },
  ]);
  expect(output.stderr).toContain(`${INSTANCE}  upload\n`);
  expect(output.stderr).toMatch(/upload +COMPLETED +120 files +2.0 KiB/);
  expect(output.stdout).toContain(`backup ${RUN} of cluster demo: COMPLETED`);
});

it('backs up what was chosen of a cluster', async () => {
  const { type, story, started } = stage();
  const node = '3d1f3a52-4c3e-4a53-8f77-0b0b0b0b0b0b';
  story.push({ execution: { status: 'SUCCEEDED' }, run: record() });
  const chosen = `--node ${INSTANCE} --node ${node} --datacenter dc1 --exclude app.cache_? --include app --include shop.*`;
  // An option takes nothing of what comes after its value.
  expect(await type(`backup ${chosen} demo`)).toBe(0);
  expect(started[0]?.input).toMatchObject({
    nodes: [INSTANCE, node],
    datacenter: 'dc1',
    keyspaces: { include: ['app', 'shop.*'], exclude: ['app.cache_?'] },
  });
});

it('takes an incremental, of a base that is named, and tells what it goes on from', async () => {
  const { type, story, started, output } = stage();
  const base = '20261120t020000z-0a1b2c3d';
  story.push({
    execution: { status: 'SUCCEEDED' },
    run: record({ kind: 'incremental', baseBackupId: base }),
  });
  expect(await type(`backup demo --kind incremental --base ${base}`)).toBe(0);
  expect(started[0]?.input).toMatchObject({ kind: 'incremental', base });
  expect(output.stdout).toContain(`note       incremental, on ${base}`);
  expect(await type('backup demo --kind weekly')).toBe(2);
});

it('with --json prints one document and nothing else on stdout', async () => {
  const { type, story, output } = stage();
  story.push({ execution: { status: 'SUCCEEDED' }, run: record() });
  expect(await type('backup demo --json')).toBe(0);
  expect(JSON.parse(output.stdout)).toEqual({
    executionArn: arnOf('backup'),
    executionStatus: 'SUCCEEDED',
    run: record(),
    nodes: [],
  });
});

it('with --no-wait returns as soon as the run has started', async () => {
  const { type, story, output } = stage();
  story.push({ execution: {} });
  expect(await type('backup demo --no-wait')).toBe(0);
  expect(output.stdout).toContain(`Started ${arnOf('backup')}`);
  expect(story).toHaveLength(1);
});

it('a start that was refused has the name, hint and exit code of its error', async () => {
  const { type, story, output } = stage();
  const { hint } = new ClusterBusy('');
  story.push({ execution: { status: 'FAILED', error: 'ClusterBusy', cause: `run x holds demo\n${hint}` } });
  expect(await type('backup demo')).toBe(3);
  expect(output.stderr).toContain(`ClusterBusy: run x holds demo\n${hint}\n`);
});

it('a failed run is told after Recover has brought it to its end', async () => {
  const { type, story, output } = stage();
  const failed = record({ status: 'FAILED', error: { errorName: 'DataRot', message: 'a file', hint: 'h' } });
  const execution = { status: 'FAILED', error: 'DataRot', cause: 'a file' };
  story.push(
    { execution, run: begun, lock: lockOf('backup') },
    { execution, run: begun, lock: lockOf('recover') },
    { execution, run: failed, lock: lockOf('recover') },
    { execution, run: failed },
  );
  expect(await type('backup demo --json')).toBe(5);
  expect(story).toEqual([]);
  expect(JSON.parse(output.stdout)).toMatchObject({
    run: { status: 'FAILED' },
    error: { errorName: 'DataRot' },
  });
});

it('a sealed backup is COMPLETED, whatever happened to its execution', async () => {
  const { type, story } = stage();
  story.push({ execution: { status: 'FAILED', error: 'UnexpectedError', cause: 'x' }, run: record() });
  expect(await type('backup demo')).toBe(0);
});

it('does not wait for ever where no Recover run comes', async () => {
  const { type, story, output } = stage();
  story.push({ execution: { status: 'ABORTED' }, run: begun, lock: lockOf('backup') });
  expect(await type('backup demo')).toBe(1);
  expect(output.stdout).toContain('the scheduled sweep will start one');
});

it('Ctrl-C stops the watching, not the run, and says so: exit 130', async () => {
  const { type, story, stopped, output, interrupt } = stage();
  story.push({ execution: {}, run: begun, also: () => interrupt.abort() });
  expect(await type('backup demo')).toBe(130);
  expect(output.stdout).toContain('the run goes on');
  expect(output.stdout).toContain(`ringvault cancel demo ${RUN}`);
  expect(stopped).toEqual([]);
});

it('cancels the newest run and waits for Recover', async () => {
  const { type, remember, story, stopped, output } = stage();
  for (const run of [begun]) await remember(run);
  const execution = { status: 'ABORTED' };
  const cancelled = record({ status: 'CANCELLED' });
  story.push(
    { execution, run: begun, lock: lockOf('recover') },
    { execution, run: cancelled, lock: lockOf('recover') },
    { execution, run: cancelled },
  );
  expect(await type('cancel demo')).toBe(0);
  expect(stopped).toEqual([begun.executionArn]);
  expect(output.stdout).toContain('CANCELLED');
  expect(story).toEqual([]);
});

it('cancels the run that has the cluster, and not a newer one that was skipped because of it', async () => {
  const { type, remember, stopped, catalog } = stage();
  await remember(begun);
  const skipped = { runId: '20261121t030000z-bbbbbbbb', startedAt: '2026-11-21T03:00:00.000Z' };
  await remember(record({ ...skipped, status: 'CANCELLED', executionArn: arnOf('backup', 'skipped') }));
  await catalog.claim(lockOf('backup'));
  expect(await type('cancel demo --no-wait')).toBe(0);
  expect(stopped).toEqual([begun.executionArn]);
});

it('refuses to cancel a run that has ended: exit 3', async () => {
  const { type, remember, stopped, output } = stage();
  for (const run of [record()]) await remember(run);
  expect(await type('cancel demo')).toBe(3);
  expect(output.stderr).toContain('RunEnded: ');
  expect(stopped).toEqual([]);
});
