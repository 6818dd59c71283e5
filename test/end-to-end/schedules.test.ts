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

test('scheduled runs meet another: one is cancelled while it waits, one waits and runs after it, one skips and is told', async () => {
  const { execution: first, goOn } = await heldBackup();
  const holder = async () => (await stage.deployment.catalog.readLock('beta'))?.executionArn;
  // Of an earlier time than the next that waits, which would supersede it.
  const earlier = await waiting(await stage.start('backup', scheduled('daily')));
  const cancelled = await ringvault('cancel', 'beta', earlier.runId);
  expect(cancelled.stdout).toMatch(/backup \S+ of cluster beta: CANCELLED/);
  expect(await holder()).toBe(first);

  const second = await stage.start('backup', scheduled('daily'));
  const { runId } = await waiting(second);

  const careful = await stage.start('backup', scheduled('careful'));
  const skipped = await stage.end(careful);
  expect({ status: skipped.run?.status, error: skipped.run?.error?.errorName }).toEqual({
    ...{ status: 'CANCELLED', error: 'ClusterBusy' },
  });
  expect(await mailWith(careful)).toMatch(/^Subject: \[ringvault\] beta: backup REFUSED ClusterBusy/m);

  expect(await holder()).toBe(first);
  goOn();
  const before = stage.completed(await stage.end(first));
  const after = stage.completed(await stage.end(second));
  expect(after.runId).toBe(runId);
  const [node] = (
    await stage.deployment.catalog.listRuns('beta', { node: 'i-0000000200000001', limit: 1 })
  )[0]?.nodes ?? [undefined];
  expect(Date.parse(node?.startedAt ?? '')).toBeGreaterThan(Date.parse(before.endedAt ?? ''));
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
