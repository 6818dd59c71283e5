// What a command works with: the deployed stack, seen through ports, and the terminal it was typed in.
import type { Catalog, Clock, Executions, ObjectStore } from '../adapters/ports.ts';
import type { VaultLayout } from '../contracts/layout.ts';
import type { Terminal } from './terminal.ts';

/** The command only reads the history: what changes it are runs. */
type History = Pick<
  Catalog,
  'readLock' | 'readRegistration' | 'runOfExecution' | 'readRun' | 'listRuns' | 'listNodes'
>;

export interface Deployment {
  catalog: History;
  executions: Executions;
  store: ObjectStore;
  layout: VaultLayout;
  clock: Clock;
}

export interface Session {
  deployment: Deployment;
  terminal: Terminal;
  /** Who asks, for the history. */
  requestedBy: string;
}
