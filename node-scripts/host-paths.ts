// Where the host program keeps its state on a host, and how fixed paths are found. RINGVAULT_HOST_ROOT goes before them
// in the local cloud, where several hosts share one machine.
import { join } from 'node:path';
import { HOST_LIMITS, HOST_RESTORE_GUARD, HOST_STATE_DIRECTORY } from '../contracts/layout.ts';

/** There where systemd is the host's service manager (sd_booted(3)). */
export const SYSTEMD = '/run/systemd/system';

export interface HostPaths {
  /** A fixed absolute path, as it is found on this host. */
  fixed(path: string): string;
  guard: string;
  limits: string;
  identity: string;
  actions: string;
  runs: string;
  journals: string;
  /** Says what a restore that ended after its download has left. */
  keptStaging: string;
  cache: string;
  /** What is remembered of backups that an incremental may go on from. */
  increments: string;
  /** Names the file, does not make it. */
  endedMarker(runId: string): string;
  action(actionId: string): string;
  log(actionId: string): string;
  /** Held by whoever changes the node's data or stops it. */
  hostLock: string;
}

export function hostPaths(root = ''): HostPaths {
  const fixed = (path: string) => (root ? join(root, path) : path);
  const state = fixed(HOST_STATE_DIRECTORY);
  return {
    fixed,
    guard: fixed(HOST_RESTORE_GUARD),
    limits: fixed(HOST_LIMITS),
    identity: join(state, 'identity.json'),
    actions: join(state, 'actions'),
    runs: join(state, 'runs'),
    journals: join(state, 'journals'),
    keptStaging: join(state, 'kept-staging.json'),
    cache: join(state, 'cache'),
    increments: join(state, 'increments'),
    endedMarker: (runId) => join(state, 'runs', `${runId}.ended`),
    action: (actionId) => join(state, 'actions', actionId),
    log: (actionId) => join(state, 'log', `${actionId}.log`),
    hostLock: join(state, 'host-lock'),
  };
}
