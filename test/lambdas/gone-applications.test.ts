// Who cannot be resumed because it is gone, and who may be there still.
import { expect, it } from 'vitest';
import { ApplicationsUnknown } from '../../contracts/errors.ts';
import { whoIsGone } from '../../lambdas/pausing/gone-applications.ts';
import { newWorld } from './support/world.ts';

const vpc = { subnetIds: ['subnet-0a1b2c3d'], securityGroupIds: ['sg-0a1b2c3d'] };
const waits = { waitSeconds: 5, waitOutstanding: true };
const byGrpc = { ...waits, grpc: { srv: '_admin._tcp.orders.test', vpc } };
const byCommand = { ...waits, command: { tag: { key: 'app', value: 'shop' }, program: '/opt/shop/pause' } };
const application = { name: 'shop-1', address: 'i-00000000000000aa1' };
const left = { application, answer: 'unreachable', answeredAt: '2026-11-21T02:00:00.000Z' } as const;

it.each([
  { what: 'the network works', hook: byGrpc, reached: true, named: true, gone: true },
  { what: 'nobody answers, and DNS names it', hook: byGrpc, reached: false, named: true, gone: false },
  {
    what: 'nobody answers, and DNS names it no more',
    hook: byGrpc,
    reached: false,
    named: false,
    gone: true,
  },
  {
    what: 'nobody answers, and DNS does not say',
    hook: byGrpc,
    reached: false,
    named: undefined,
    gone: false,
  },
  { what: 'its agent is away, and it has the tag', hook: byCommand, reached: true, named: true, gone: false },
  { what: 'its host has the tag no more', hook: byCommand, reached: true, named: false, gone: true },
])('$what: gone is $gone', async ({ hook, reached, named, gone }) => {
  const applications = {
    ask: async () => {
      if (named === undefined) throw new ApplicationsUnknown('SERVFAIL');
      return { found: named ? [application] : [], away: [], answers: [] };
    },
  };
  const isGone = await whoIsGone(
    [left],
    { clusterId: 'demo', hook, reached },
    { ...newWorld(), applications },
  );
  expect(isGone(left)).toBe(gone);
});
