// How every program is bundled: the Lambdas' and the hosts', for the Node that both run.
import type { BuildOptions } from 'esbuild';
import { PROJECT_ROOT } from './project-root.ts';

export const BUNDLING = {
  absWorkingDir: PROJECT_ROOT,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  minify: true,
  // Dependencies that are CommonJS call `require`, which an ES module does not have.
  banner: {
    js: "import { createRequire as ringvaultRequire } from 'node:module'; const require = ringvaultRequire(import.meta.url);",
  },
  legalComments: 'none',
  logLevel: 'error',
} as const satisfies BuildOptions;

/** The host program: `host.mjs`, its worker threads, and what it loads only to carry an action out, not to start one. */
export const HOST_PROGRAM = {
  ...BUNDLING,
  entryPoints: {
    host: 'node-scripts/host.ts',
    'hash-worker': 'node-scripts/hashing/hash-worker.ts',
    'fetch-worker': 'node-scripts/transfer/fetch-worker.ts',
  },
  outExtension: { '.js': '.mjs' },
  splitting: true,
} as const satisfies BuildOptions;
