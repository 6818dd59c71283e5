// Starts of one action at a time, of programs that are over before anybody looks: each was there, and none is told as lost.
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock-system.ts';
import { confirmLaunch, startOrAttach } from '../../node-scripts/start.ts';
import { write } from './fake-node.ts';
import { type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const ACTION = '20261121t030000z-0a1b2c3d.upload';
let host: HostUnderTest;
beforeEach(async () => {
  host = await hostUnderTest();
});
afterEach(() => host.remove());

async function start(script: string) {
  const program = join(host.root, 'program');
  await write(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
  const options = { paths: host.paths, clock: systemClock, actionId: ACTION, environment: process.env };
  return startOrAttach({ ...options, program: [program], arguments: [] });
}

it('is told of its own program, though another one has said so since', async () => {
  const directory = host.paths.action(ACTION);
  // Its last argument is the launch.
  const started = start(`for launch; do :; done; touch "${directory}/launched.$launch"`);
  await confirmLaunch(directory, 'of another').catch(() => undefined);
  expect(await started).toEqual({ outcome: 'started' });
  expect((await readdir(directory)).filter((name) => name !== 'launched.of another')).toEqual([]);
});

it('is told by name where its program ended without a word', async () => {
  await expect(start('exit 3')).rejects.toMatchObject({
    name: 'ActionLost',
    message: expect.stringMatching(/ended with 3/),
  });
});
