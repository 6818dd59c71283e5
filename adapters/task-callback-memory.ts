// Task tokens in memory, for tests: a token is good from issue() until it is answered or expired.
import type { ToldErrorRecord } from '../contracts/runs.ts';
import type { TaskCallback } from './ports.ts';

export interface MemoryTaskCallback extends TaskCallback {
  issue(token: string): void;
  expire(token: string): void;
  readonly heartbeats: string[];
  readonly answers: Map<string, { output: unknown } | { error: ToldErrorRecord }>;
}

export function memoryTaskCallback(): MemoryTaskCallback {
  const open = new Set<string>();
  const heartbeats: string[] = [];
  const answers: MemoryTaskCallback['answers'] = new Map();
  const answer = (token: string, value: { output: unknown } | { error: ToldErrorRecord }) => {
    if (!open.delete(token)) return 'invalid-token' as const;
    answers.set(token, value);
    return 'accepted' as const;
  };
  return {
    issue: (token) => void open.add(token),
    expire: (token) => void open.delete(token),
    heartbeats,
    answers,
    async heartbeat(token) {
      if (!open.has(token)) return 'invalid-token';
      heartbeats.push(token);
      return 'accepted';
    },
    succeed: async (token, output) => answer(token, { output }),
    fail: async (token, error) => answer(token, { error }),
  };
}
