// Switches in memory, for tests.
import type { PauseSwitch } from './ports.ts';

export interface MemoryPauseSwitch extends PauseSwitch {
  readonly armed: Map<string, { at: Date; input: unknown }>;
}

export function memoryPauseSwitch(): MemoryPauseSwitch {
  const armed: MemoryPauseSwitch['armed'] = new Map();
  return {
    armed,
    async set({ name, at, input }) {
      if (!armed.has(name)) armed.set(name, { at, input });
    },
    async clear(name) {
      armed.delete(name);
    },
  };
}
