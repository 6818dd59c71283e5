// Scheduled runs that meet other runs, come late, or do not come at all: they wait, are skipped, or are told of, and never collide.
import { readFile } from 'node:fs/promises';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { execa } from 'execa';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Catalog } from '../../adapters/ports.ts';
import { errorOf } from '../../cli/run-view.ts';
import { addRows } from './small-dataset.ts';
import { type Hold, type Stage, sharedStage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage();
  await stage.beta();
});
afterEach(() => stage.calm());

function ringvault(...args: string[]) {
  const env = { ...process.env, ...stage.installation.cloud.environment };
  return execa(process.execPath, ['cli/bin.js', ...args], { env, reject: false });
}

const listed = z.object({
  runs: z.array(z.object({ runId: z.string(), status: z.string(), executionArn: z.string() })),
});
const runsOf = async (status: string) =>
  listed.parse(JSON.parse((await ringvault('list', 'beta', '--status', status, '--json')).stdout)).runs;

const now = () => `${new Date().toISOString().slice(0, 19)}Z`;
const scheduled = (schedule: string, scheduledTime = now()) => ({
  ...{ clusterId: 'beta', kind: 'snapshot', schedule, scheduledTime, requestedBy: `schedule ${schedule}` },
});

/** A backup of beta that is under way and stays there. */
async function heldBackup(): Promise<Hold & { execution: string }> {
  await addRows(await stage.client(await stage.beta()));
  const hold = stage.holdAt(
    ({ action, path }) => action === 's3:PutObject' && path.includes('/clusters/beta/objects/'),
  );
  const execution = await stage.start('backup', { clusterId: 'beta' });
  await hold.reached;
  return { ...hold, execution };
}

const waiting = (execution: string) =>
  stage.until('the run that waits', async () =>
    (await runsOf('initialized')).find((run) => run.executionArn === execution),
  );

test('a scheduled run waits for its cluster, INITIALIZED, then runs: two never at the same time', async () => {
  const { execution: first, goOn } = await heldBackup();
  const second = await stage.start('backup', scheduled('daily'));
  const { runId } = await waiting(second);
  expect((await stage.deployment.catalog.readLock('beta'))?.executionArn).toBe(first);
  goOn();
  const before = stage.completed(await stage.end(first));
  const after = stage.completed(await stage.end(second));
  expect(after.runId).toBe(runId);
  const [node] = (
    await stage.deployment.catalog.listRuns('beta', { node: 'i-0000000200000001', limit: 1 })
  )[0]?.nodes ?? [undefined];
  expect(Date.parse(node?.startedAt ?? '')).toBeGreaterThan(Date.parse(before.endedAt ?? ''));
});

test('a scheduled run that waits can be cancelled, and the run that it waits for goes on', async () => {
  const { execution: first, goOn } = await heldBackup();
  const second = await stage.start('backup', scheduled('daily'));
  const { runId } = await waiting(second);
  const cancelled = await ringvault('cancel', 'beta', runId);
  expect(cancelled.stdout).toMatch(/backup \S+ of cluster beta: CANCELLED/);
  expect((await stage.deployment.catalog.readLock('beta'))?.executionArn).toBe(first);
  goOn();
  stage.completed(await stage.end(first));
});

test('a schedule that skips is CANCELLED as ClusterBusy, and told', async () => {
  const { execution: first, goOn } = await heldBackup();
  const execution = await stage.start('backup', scheduled('careful'));
  const view = await stage.end(execution);
  expect({ status: view.run?.status, error: view.run?.error?.errorName }).toEqual({
    ...{ status: 'CANCELLED', error: 'ClusterBusy' },
  });
  expect(await mailWith(execution)).toMatch(/^Subject: \[ringvault\] beta: backup REFUSED ClusterBusy/m);
  goOn();
  stage.completed(await stage.end(first));
});

test('a start that is delivered after its window: CANCELLED as ScheduleMissed, and nothing is begun', async () => {
  const twoHoursAgo = `${new Date(Date.now() - 7_200_000).toISOString().slice(0, 19)}Z`;
  const execution = await stage.start('backup', scheduled('daily', twoHoursAgo));
  const view = await stage.end(execution);
  expect(view.run).toMatchObject({ status: 'CANCELLED', nodes: [] });
  expect(view.execution?.error).toBe('ScheduleMissed');
  expect(errorOf({ ...view, run: undefined })?.message).toContain(twoHoursAgo);
  expect((await ringvault('list', 'beta', '--status', 'cancelled')).stdout).toMatch(
    new RegExp(`${view.run?.runId} .*ScheduleMissed`),
  );
});

test('times at which nothing began are found by the sweep, and told once', async () => {
  const catalog = stage.deployment.catalog as Catalog;
  await sweep();
  const watch = await catalog.readWatch('beta', 'daily');
  if (!watch) throw new Error('the sweep does not watch the schedule');
  const checkedUntil = new Date(Date.now() - 2 * 86_400_000).toISOString();
  await catalog.putWatch('beta', 'daily', { ...watch, checkedUntil });
  const { missed } = await sweep();
  expect(missed).toBeGreaterThan(0);
  const mail = await mailWith('that the schedule "daily" was to begin at');
  expect(mail).toMatch(/^Subject: \[ringvault\] beta: backup MISSED \S+T02:00:00.000Z \(daily\)/m);
  await catalog.putWatch('beta', 'daily', { ...watch, checkedUntil });
  expect(await sweep()).toMatchObject({ missed: 0 });
});

/** The newest mail that says it. */
function mailWith(text: string): Promise<string> {
  return stage.until(`a mail with ${text}`, async () => {
    const files = stage.installation.cloud.endpoint.deliveries.records.flatMap(({ file }) => file ?? []);
    for (const file of files.toReversed()) {
      const mail = await readFile(file, 'utf8');
      if (mail.includes(text)) return mail;
    }
    return undefined;
  });
}

/** SweepRuns, as its schedule invokes it. */
async function sweep(): Promise<{ missed: number }> {
  const { cloud } = stage.installation;
  const target = cloud.scheduler.list().find(({ description }) => /Recover for runs/.test(description ?? ''));
  const client = new LambdaClient(cloud.clientOptions);
  try {
    const invoke = new InvokeCommand({ FunctionName: target?.target.arn, Payload: Buffer.from('{}') });
    const { Payload, FunctionError } = await client.send(invoke);
    const answer = Buffer.from(Payload ?? []).toString();
    if (FunctionError) throw new Error(answer);
    return z.object({ missed: z.number() }).parse(JSON.parse(answer));
  } finally {
    client.destroy();
  }
}
