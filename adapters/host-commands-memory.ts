// Hosts and commands in memory, for tests: a test says which hosts there are and what becomes of commands.
import type { CommandOutcome, HostCommands, ManagedHost } from './ports.ts';

export interface MemoryHostCommands extends HostCommands {
  readonly managed: ManagedHost[];
  readonly sent: Array<Parameters<HostCommands['send']>[0]>;
  /** By command ID. */
  readonly outcomes: Map<string, CommandOutcome>;
  /** IDs of commands. */
  readonly cancelled: string[];
}

export function memoryHostCommands(managed: ManagedHost[] = []): MemoryHostCommands {
  const sent: MemoryHostCommands['sent'] = [];
  const outcomes: MemoryHostCommands['outcomes'] = new Map();
  const cancelled: string[] = [];
  return {
    managed,
    sent,
    outcomes,
    cancelled,
    listHosts: async () => structuredClone(managed),
    send: async (command) => ({ commandId: `command-${sent.push(command)}` }),
    outcome: async (commandId) => outcomes.get(commandId),
    cancel: async (commandId) => void cancelled.push(commandId),
  };
}
