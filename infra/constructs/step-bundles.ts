// Makes each step's bundle, one directory with `index.mjs`, from lambdas/<step>.ts. One esbuild call makes them all, once
// per process.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { type StepName, stepFileName, stepNames } from '../../contracts/steps.ts';
import { BUNDLING } from '../bundling.ts';

let built: string | undefined;

/**
 * @param withFiles steps whose bundles get `files` (name → content) beside `index.mjs`
 * @returns each step's directory, which lasts as long as the process
 */
export function bundleSteps(
  withFiles: readonly StepName[],
  files: Readonly<Record<string, string>>,
): Record<StepName, string> {
  built ??= buildAll();
  const from = built;
  const variant = mkdtempSync(join(from, 'variant-'));
  return Object.fromEntries(
    stepNames.map((step) => {
      const plain = join(from, step);
      return [step, withFiles.includes(step) ? withExtra(plain, join(variant, step), files) : plain];
    }),
  ) as Record<StepName, string>;
}

function withExtra(from: string, to: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(to, { recursive: true });
  copyFileSync(join(from, 'index.mjs'), join(to, 'index.mjs'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(to, name), content);
  return to;
}

function buildAll(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ringvault-steps-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const sources = stepNames.map((step) => ({ step, path: `lambdas/${stepFileName(step)}.ts` }));
  buildSync({
    ...BUNDLING,
    entryPoints: sources.map(({ step, path }) => ({ in: path, out: `${step}/index` })),
    outdir: directory,
    outExtension: { '.js': '.mjs' },
  });
  return directory;
}
