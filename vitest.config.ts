import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: ['test/end-to-end/**', 'test/cassandra/**'],
          testTimeout: 20_000,
        },
      },
      {
        // Real Cassandra: one file at a time, because the machine's two cores are shared with three nodes.
        test: {
          name: 'end-to-end',
          include: ['test/cassandra/**/*.test.ts', 'test/end-to-end/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
