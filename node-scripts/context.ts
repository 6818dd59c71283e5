// What an action is given besides its input.
import type { Logger } from 'pino';
import type { Clock, DataKeys, ObjectStore, SecretReader } from '../adapters/ports.ts';
import type { ActionDocument, ActionInput, ActionName, ActionOutput } from '../contracts/actions.ts';
import type { VaultPlace } from '../contracts/configuration.ts';
import type { VaultLayout } from '../contracts/layout.ts';
import type { FailPointName } from './fail-points.ts';
import type { HostPaths } from './host-paths.ts';
import type { ProgressReporter } from './progress.ts';
import type { Vault } from './transfer/fetcher.ts';

/** The outside world, as host.ts or a test wires it. */
export interface HostPorts {
  store: ObjectStore;
  secrets: SecretReader;
  clock: Clock;
  /** Another vault, to read from. */
  openVault(place: VaultPlace): ObjectStore;
  /** Where worker threads find what `store` is; without it the work of theirs is done in this thread. */
  vault?: Vault;
}

export interface ActionContext extends HostPorts {
  /** Of the document's cluster. */
  dataKeys: DataKeys;
  document: ActionDocument;
  instanceArn: string;
  paths: HostPaths;
  layout: VaultLayout;
  log: Logger;
  progress: ProgressReporter;
  /** Aborted when the action must stop: its run has ended, or nobody waits for it any more. */
  signal: AbortSignal;
  /** A directory of this action's own. */
  directory: string;
  failPoint(name: FailPointName): Promise<void>;
  /**
   * Call immediately before each destructive step: waits for the host-wide lock, which is then kept to the action's end,
   * and for a heartbeat that is accepted. @throws RunEnded ActionLost
   */
  beforeDestroying(step: string): Promise<void>;
}

export type ActionHandler<Name extends ActionName> = (
  context: ActionContext,
  input: ActionInput<Name>,
) => Promise<ActionOutput<Name>>;
