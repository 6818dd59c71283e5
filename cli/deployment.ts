// What a command works with: the deployed stack, seen through ports, and the terminal it was typed in.
import type { Catalog, Clock, Executions, ObjectStore, StackOutputs } from '../adapters/ports.ts';
import type { VaultLayout } from '../contracts/layout.ts';
import type { Terminal } from './terminal.ts';

export interface Deployment {
  stackName: string;
  outputs: StackOutputs;
  catalog: Catalog;
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
