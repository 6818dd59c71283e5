// Applications that a program on their hosts pauses: what SSM and the program say, as answers.
import { describe, expect, it } from 'vitest';
import type { CommandOutcome } from '../../adapters/ports.ts';
import { ApplicationsUnknown, HostUnreachable } from '../../contracts/errors.ts';
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
    const { found } = await callApplications({ call: 'discover', hook }, world);
    expect(found).toEqual([
      { name: 'i-00000000000000aa3', address: 'i-00000000000000aa3' },
      { name: 'shop-1', address: 'i-00000000000000aa1' },
      { name: 'shop-2', address: 'i-00000000000000aa2' },
    ]);
  });

  it('is refused by name where it is nobody', async () => {
    const world = newWorld();
    world.hosts.managed.length = 0;
    await expect(callApplications({ call: 'discover', hook }, world)).rejects.toThrow(ApplicationsUnknown);
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
  expect(world.hosts.sent).toMatchObject([
    {
      instanceId: shop.address,
      document: 'applications',
      parameters: { call: 'pause' },
      deliverWithinSeconds: 30,
    },
  ]);
});

it('a host that SSM refuses is one that cannot be reached', async () => {
  const world = newWorld();
  world.hosts.send = () => Promise.reject(new HostUnreachable('no such instance'));
  expect(await ask(world, 'pause')).toMatchObject({ answer: 'unreachable' });
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
