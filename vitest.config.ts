import { defineConfig } from 'vitest/config';
import { forgetOtherAccounts } from './local/other-accounts.ts';
import { COMPILE_CACHE } from './local/servers/cache-directory.ts';

// Of this process, so that all that it starts has it.
forgetOtherAccounts();
Object.assign(process.env, COMPILE_CACHE);

const INTEGRATION = 'test/**/*.integration.test.ts';
const CASSANDRA = ['test/cassandra/**/*.test.ts', 'test/end-to-end/**/*.test.ts'];

const withoutCassandra = {
  // Most files are short, and what they import is long: workers keep it.
  isolate: false,
  maxWorkers: 2,
  globalSetup: 'test/shared/made-once.ts',
  // Once is enough for CDK's look at the template, by its own rules: in the process that makes it for all files.
  env: { CDK_VALIDATION: 'false' },
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

// One after another: two cores for each.
export default defineConfig({
  test: {
    experimental: { viteModuleRunner: false, nodeLoader: false },
    projects: [
      {
        test: {
          ...withoutCassandra,
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: [INTEGRATION, ...CASSANDRA],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // What starts programs: Java servers, our bundles as processes, the aws CLI, Python.
        test: {
          ...withoutCassandra,
          name: 'integration',
          include: [INTEGRATION],
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Real Cassandra. One worker for all files, not isolated, so that they share an installation (stage.ts) on two cores.
        test: {
          name: 'end-to-end',
          include: CASSANDRA,
          fileParallelism: false,
          isolate: false,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
          globalSetup: 'test/end-to-end/global-teardown.ts',
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
