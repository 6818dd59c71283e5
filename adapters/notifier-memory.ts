// Notifications in memory, for tests.
import type { Notifier } from './ports.ts';

export interface MemoryNotifier extends Notifier {
  readonly published: Array<Parameters<Notifier['publish']>[0]>;
}

export function memoryNotifier(): MemoryNotifier {
  const published: MemoryNotifier['published'] = [];
  return {
    published,
    publish: async (message) => ({ messageId: `message-${published.push(message)}` }),
  };
}
