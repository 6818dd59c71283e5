import { defineConfig } from 'vitest/config';
import { COMPILE_CACHE } from './local/servers/cache-directory.ts';

// Of this process, so that all that it starts has it.
Object.assign(process.env, COMPILE_CACHE);

export default defineConfig({
  test: {
    experimental: { viteModuleRunner: false, nodeLoader: false },
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: ['test/end-to-end/**', 'test/cassandra/**'],
          // Most files are short, and what they import is long: workers keep it.
          isolate: false,
          maxWorkers: 2,
          // Before the other: two cores for it, then two cores for Cassandra.
          sequence: { groupOrder: 0 },
          globalSetup: 'test/shared/made-once.ts',
          // Once is enough for CDK's look at the template, by its own rules: in the process that makes it for all files.
          env: { CDK_VALIDATION: 'false' },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // Real Cassandra. One worker for all files, not isolated, so that they share an installation (stage.ts) on two cores.
        test: {
          name: 'end-to-end',
          include: ['test/cassandra/**/*.test.ts', 'test/end-to-end/**/*.test.ts'],
          fileParallelism: false,
          isolate: false,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          globalSetup: 'test/end-to-end/global-teardown.ts',
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
