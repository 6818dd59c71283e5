// Java libraries are fetched once, whole or not at all. Maven itself is played by a script.
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { fetchJar, fetchJars } from '../../../local/servers/maven.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ringvault-maven-'));
  vi.stubEnv('RINGVAULT_CACHE', join(directory, 'cache'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

async function maven(script: string): Promise<void> {
  const program = join(directory, 'mvn');
  await writeFile(program, `#!/bin/bash\n${script}\n`);
  await chmod(program, 0o755);
  vi.stubEnv('PATH', `${directory}:${process.env['PATH']}`);
}
const copying = `
for each in "$@"; do case "$each" in -DoutputDirectory=*) out="\${each#*=}";; esac; done
mkdir -p "$out"; echo run >> "${'$'}{0%/*}/runs"; touch "$out/a-1.jar"; sleep 0.2; touch "$out/native.so"`;

it('the directory is complete whenever it is there, for those who ask at the same time too', async () => {
  await maven(copying);
  const ask = () => fetchJars({ coordinates: ['g:a:1'] });
  const answers = await Promise.all([ask(), ask(), ask()]);
  expect(new Set(answers)).toEqual(new Set([join(directory, 'cache', 'a-1')]));
  expect(await readdir(join(directory, 'cache'))).toEqual(['a-1']);
  expect((await readdir(answers[0])).sort()).toEqual(['a-1.jar', 'native.so']);
  expect(await fetchJar('g:a:1')).toBe(join(directory, 'cache', 'a-1', 'a-1.jar'));
  expect((await readFile(join(directory, 'runs'), 'utf8')).trim().split('\n')).toHaveLength(3);
});

it('a Maven that fails is told in its own words, and leaves nothing', async () => {
  await maven('echo "[ERROR] Could not transfer artifact g:a:pom:1"; exit 1');
  await expect(fetchJars({ coordinates: ['g:a:1'] })).rejects.toMatchObject({
    name: 'LocalToolFailed',
    message: expect.stringMatching(/could not fetch g:a:1[\s\S]*Could not transfer artifact/),
  });
  expect(await readdir(join(directory, 'cache'))).toEqual([]);
});

it('a missing Maven is named', async () => {
  vi.stubEnv('PATH', directory);
  await expect(fetchJars({ coordinates: ['g:a:1'] })).rejects.toMatchObject({
    name: 'LocalToolFailed',
    message: expect.stringContaining('mvn is not on the PATH'),
  });
});
