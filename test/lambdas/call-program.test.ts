// Applications that a program on their hosts pauses: what SSM and the program say, as answers.
import { describe, expect, it } from 'vitest';
import type { CommandOutcome } from '../../adapters/ports.ts';
import { AwsCallFailed, AwsUnavailable, HostUnreachable } from '../../contracts/errors.ts';
import type { ApplicationsRequest } from '../../contracts/pause.ts';
import { callApplications } from '../../lambdas/call-applications.ts';
import { newWorld, type World } from './support/world.ts';

const command = { tag: { key: 'app', value: 'shop' }, program: '/opt/shop/pause' };
const hook = { waitSeconds: 5, waitOutstanding: true, command };
const shop = { name: 'shop-1', address: 'i-00000000000000aa1' };
const SUCCESS: CommandOutcome = { status: 'Success', detail: 'Success', stderr: '', exitCode: 0 };
const failed = (exitCode: number, stderr = ''): CommandOutcome => ({
  ...{ status: 'Failed', detail: 'Failed', stderr, exitCode },
});

type Call = Exclude<ApplicationsRequest['call'], 'discover'>;

async function ask(world: World, call: Call, outcome?: CommandOutcome) {
  if (outcome) world.hosts.outcomes.set('command-1', outcome);
  const { answers } = await callApplications({ call, hook, applications: [shop] }, world);
  const [answer] = answers;
  if (answers.length !== 1 || !answer) throw new Error(`got ${answers.length} answers, expected one`);
  expect(answer.application).toEqual(shop);
  return answer;
}

describe('who there is', () => {
  it('is every host with the tag, one that SSM does not reach too', async () => {
    const world = newWorld();
    world.hosts.managed.splice(
      0,
      Number.POSITIVE_INFINITY,
      {
        instanceId: 'i-00000000000000aa2',
        online: false,
        pingStatus: 'ConnectionLost',
        computerName: 'shop-2',
      },
      { instanceId: 'i-00000000000000aa1', online: true, pingStatus: 'Online', computerName: 'shop-1' },
      { instanceId: 'i-00000000000000aa3', online: true, pingStatus: 'Online' },
    );
    const { found, away } = await callApplications({ call: 'discover', hook }, world);
    expect(found).toEqual([
      { name: 'i-00000000000000aa3', address: 'i-00000000000000aa3' },
      { name: 'shop-1', address: 'i-00000000000000aa1' },
      { name: 'shop-2', address: 'i-00000000000000aa2' },
    ]);
    expect(away).toEqual(found.slice(2));
  });
});

describe('what a program says', () => {
  it.each([
    ['pause', SUCCESS, 'done'],
    ['resume', SUCCESS, 'done'],
    ['check', SUCCESS, 'paused'],
    ['check', failed(3), 'running'],
    ['check', failed(64), 'unsupported'],
    ['check', failed(1), 'refused'],
    ['pause', failed(3), 'refused'],
    ['resume', failed(64), 'refused'],
    ['pause', { status: 'TimedOut', detail: 'ExecutionTimedOut', stderr: '', exitCode: -1 }, 'silent'],
    ['pause', { status: 'TimedOut', detail: 'DeliveryTimedOut', stderr: '', exitCode: -1 }, 'unreachable'],
    ['resume', { status: 'Failed', detail: 'Undeliverable', stderr: '', exitCode: -1 }, 'unreachable'],
  ] as const)('%s: %o is %s', async (call, outcome, answer) => {
    expect((await ask(newWorld(), call, outcome)).answer).toBe(answer);
  });

  it('is told with what it wrote to stderr', async () => {
    const answer = await ask(newWorld(), 'pause', failed(1, 'the shop does not answer\n'));
    expect(answer.message).toBe('Failed, exit code 1: the shop does not answer');
  });
});

it('sends the call alone, and gives it up at a host that does not take it in half a minute', async () => {
  const world = newWorld();
  await ask(world, 'pause', SUCCESS);
  expect(world.hosts.sent).toEqual([
    {
      comment: 'Ringvault: pause',
      instanceId: shop.address,
      document: 'applications',
      parameters: { call: 'pause' },
      deliverWithinSeconds: 30,
    },
  ]);
});

it.each([
  ['that SSM does not have', new HostUnreachable('no such instance')],
  ['that has lost its tag', new AwsCallFailed('ssm:SendCommand: got AccessDeniedException')],
])('a host %s cannot be reached, and keeps no other from being resumed', async (_what, refusal) => {
  const world = newWorld();
  const { send } = world.hosts;
  world.hosts.send = (asked) => (asked.instanceId === shop.address ? Promise.reject(refusal) : send(asked));
  const others = Array.from({ length: 120 }, (_, index) => ({
    name: `other-${index}`,
    address: `i-${(index + 16).toString(16).padStart(17, '0')}`,
  }));
  for (let sent = 1; sent <= others.length; sent++) world.hosts.outcomes.set(`command-${sent}`, SUCCESS);
  const applications = [shop, ...others];
  const { answers } = await callApplications({ call: 'resume', hook, applications }, world);
  expect(answers.map(({ answer }) => answer)).toEqual(['unreachable', ...others.map(() => 'done')]);
  expect(answers[0]?.message).toBe(refusal.message);
});

it('an outcome that cannot be asked for is asked for again', async () => {
  const world = newWorld();
  const { outcome } = world.hosts;
  let asked = 0;
  world.hosts.outcome = (...command) =>
    ++asked === 1 ? Promise.reject(new AwsUnavailable('throttled')) : outcome(...command);
  expect((await ask(world, 'pause', SUCCESS)).answer).toBe('done');
});

it.each([
  ['InProgress', 'silent'],
  ['Pending', 'unreachable'],
])('a command that stays %s is cancelled, so that it pauses nobody later', async (status, answer) => {
  const world = newWorld();
  const outcome = { status, detail: status, stderr: '', exitCode: -1 };
  expect((await ask(world, 'pause', outcome)).answer).toBe(answer);
  expect(world.hosts.cancelled).toEqual(['command-1']);
});
