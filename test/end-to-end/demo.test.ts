// What the README promises first: one command, and everything comes back.
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const LIMIT_MS = 540_000;

test('`npm run demo` brings everything back', async () => {
  const demo = await execa('npm', ['run', '--silent', 'demo'], {
    ...{ cwd: PROJECT, stdin: 'ignore', all: true, reject: false, timeout: LIMIT_MS },
  });
  expect(demo.exitCode, demo.all).toBe(0);
  expect(demo.stdout).toMatch(/"OrderLines" .*\bsame\b/);
});
