// Synthesizes the template that would be deployed to AWS, with the CDK's own command.
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { COMPILE_CACHE } from './servers/cache-directory.ts';
import { LocalToolFailed } from './servers/errors.ts';

const PROJECT_ROOT = fileURLToPath(new URL('..', import.meta.url));

/** @throws LocalToolFailed with what the command said */
export async function synthesize(
  configurationFile: string,
  assembly: string,
  signal?: AbortSignal,
): Promise<void> {
  const result = await execa(
    'cdk',
    [
      'synth',
      '--quiet',
      '--no-notices',
      '--output',
      resolve(assembly),
      '--context',
      `ringvault:config=${resolve(configurationFile)}`,
    ],
    {
      cwd: PROJECT_ROOT,
      env: COMPILE_CACHE,
      preferLocal: true,
      reject: false,
      all: true,
      stdin: 'ignore',
      ...(signal && { cancelSignal: signal }),
    },
  );
  if (result.failed) throw new LocalToolFailed(`${result.command}: ${result.shortMessage}\n${result.all}`);
}
