// One-time schedules that a program makes, by the adapter that the steps have: set, fired once, or cleared before.
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { schedulerPauseSwitch } from '../../../adapters/pause-switch-scheduler.ts';
import type { PauseSwitch } from '../../../adapters/ports.ts';
import { Functions } from '../../../local/lambda/functions.ts';
import { Queues } from '../../../local/services/queues.ts';
import { ScheduleClock } from '../../../local/services/schedule-clock.ts';
import { Scheduler } from '../../../local/services/scheduler.ts';
import { schedulerService } from '../../../local/services/scheduler-service.ts';
import { Targets } from '../../../local/services/targets.ts';
import { startTestServer, type TestServer } from '../endpoint/endpoint.ts';

const ACCOUNT = '111122223333';
const GROUP = `arn:aws:scheduler:eu-west-1:${ACCOUNT}:schedule-group/pauses`;
const TARGET = `arn:aws:states:eu-west-1:${ACCOUNT}:stateMachine:Any`;
const SWITCH_ROLE = `arn:aws:iam::${ACCOUNT}:role/switch`;
const STEP_ROLE = `arn:aws:iam::${ACCOUNT}:role/step`;
const stepCaller = { arn: `arn:aws:sts::${ACCOUNT}:assumed-role/step/one`, roleArn: STEP_ROLE };
const input = { runId: 'one' };
const minutes = (many: number) => many * 60_000;

describe('a one-time schedule', () => {
  let server: TestServer;
  let clock: ScheduleClock;
  let scheduler: Scheduler;
  let client: SchedulerClient;
  let started: unknown[];
  let whenStarted: () => void;

  beforeEach(async () => {
    server = await startTestServer();
    // Stands elsewhere than the time that programs live in.
    clock = new ScheduleClock(new Date(Date.now() + 86_400_000));
    started = [];
    whenStarted = () => {};
    const { authorizer } = server;
    const functions = new Functions(
      {
        ...{ endpointUrl: '', region: '', logDirectory: '' },
        credentials: () => ({ accessKeyId: '', secretAccessKey: '', sessionToken: '' }),
      },
      authorizer,
    );
    const start = (arn: string, given: { input: string }) => {
      started.push(JSON.parse(given.input));
      whenStarted();
      return { executionArn: arn };
    };
    scheduler = new Scheduler(clock, new Targets(authorizer, functions, { start }, new Queues()));
    scheduler.createGroup('pauses', GROUP);
    server.register(schedulerService(scheduler));
    const allow = (Action: string, Resource: string, more = {}) => ({
      Effect: 'Allow',
      Action,
      Resource,
      ...more,
    });
    const policy = (...Statement: object[]) => ({ own: { Version: '2012-10-17', Statement } });
    authorizer.putRole({
      ...{ arn: SWITCH_ROLE, name: 'switch', managedPolicies: {} },
      inlinePolicies: policy(allow('states:StartExecution', TARGET)),
      trust: {
        Version: '2012-10-17',
        Statement: [
          {
            ...{
              Effect: 'Allow',
              Action: 'sts:AssumeRole',
              Principal: { Service: 'scheduler.amazonaws.com' },
            },
            Condition: { StringEquals: { 'aws:SourceArn': GROUP } },
          },
        ],
      },
    });
    authorizer.putRole({
      ...{
        arn: STEP_ROLE,
        name: 'step',
        managedPolicies: {},
        trust: { Version: '2012-10-17', Statement: [] },
      },
      inlinePolicies: policy(
        allow('scheduler:CreateSchedule', `arn:aws:scheduler:eu-west-1:${ACCOUNT}:schedule/pauses/*`),
        allow('scheduler:DeleteSchedule', `arn:aws:scheduler:eu-west-1:${ACCOUNT}:schedule/pauses/*`),
        allow('iam:PassRole', SWITCH_ROLE, {
          Condition: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
        }),
      ),
    });
    client = new SchedulerClient({
      ...{ endpoint: server.url, region: 'eu-west-1' },
      credentials: server.identities.issue(stepCaller),
    });
  });
  afterEach(async () => {
    client.destroy();
    await server.close();
  });

  function pauseSwitch(more = {}): PauseSwitch {
    const target = { groupName: 'pauses', functionArn: TARGET, roleArn: SWITCH_ROLE, ...more };
    return schedulerPauseSwitch(target, client);
  }
  const inMinutes = (many: number) => new Date(Date.now() + minutes(many));
  const move = (many: number) => clock.moveTo(new Date(clock.now().getTime() + minutes(many)));

  it('fires at its time, once, however often it was set, and is gone then', async () => {
    const armed = { name: 'one', at: inMinutes(5), input };
    await pauseSwitch().set(armed);
    await pauseSwitch().set(armed);
    await move(4);
    expect(started).toEqual([]);
    await move(2);
    expect(started).toEqual([input]);
    expect(scheduler.list()).toEqual([]);
    await move(60);
    expect(started).toHaveLength(1);
  });

  it('does not fire once it was cleared, which may be said twice', async () => {
    await pauseSwitch().set({ name: 'one', at: inMinutes(5), input });
    await pauseSwitch().clear('one');
    await pauseSwitch().clear('one');
    await move(60);
    expect(started).toEqual([]);
  });

  it('may be cleared by what it starts', async () => {
    await pauseSwitch().set({ name: 'one', at: inMinutes(5), input });
    whenStarted = () => scheduler.delete({ groupName: 'pauses', name: 'one' });
    await move(6);
    expect(started).toEqual([input]);
    expect(scheduler.list()).toEqual([]);
  });

  it('needs a group that there is, a role that may be passed, and the right to be made', async () => {
    const armed = { name: 'one', at: inMinutes(5), input };
    await expect(pauseSwitch({ roleArn: STEP_ROLE }).set(armed)).rejects.toThrow(/PassRole/);
    await expect(pauseSwitch({ groupName: 'other' }).set(armed)).rejects.toThrow(/other does not exist/);
    scheduler.createGroup('other', GROUP.replace('pauses', 'other'));
    await expect(pauseSwitch({ groupName: 'other' }).set(armed)).rejects.toThrow(/AccessDenied/);
    expect(scheduler.list()).toEqual([]);
  });
});
