// What a command works with: the deployed stack, seen through ports, and the terminal it was typed in.
import type { Catalog, Clock, DataKeys, Executions, ObjectStore } from '../adapters/ports.ts';
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
  /** Where worker threads find what `store` is; without it their work is done in this thread. */
  vault?: { bucket: string; region?: string };
  layout: VaultLayout;
  /** Of what hosts encrypted, by cluster ID. */
  dataKeys(clusterId: string): DataKeys;
  clock: Clock;
}

export interface Session {
  deployment: Deployment;
  terminal: Terminal;
  /** Who asks, for the history. */
  requestedBy: string;
}
