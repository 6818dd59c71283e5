// Every failure has a name. Names travel: host program → task token → Step Functions `Error` → catalog → mail → exit code.

/** What an error class says once for all its instances. */
interface ErrorTraits {
  /** What to do now, one or two sentences. */
  hint: string;
  /** The CLI's exit code: 2 wrong use, 3 refused, 4 not found, 5 damaged data, 1 anything else. */
  exitCode?: number;
  /** True: the same step may be tried again as it is, and a retry is likely to help. */
  retryable?: boolean;
}

export abstract class RingvaultError extends Error {
  abstract override readonly name: string;
  readonly hint: string;
  readonly exitCode: number;
  readonly retryable: boolean;

  constructor(traits: ErrorTraits, message: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = traits.hint;
    this.exitCode = traits.exitCode ?? 1;
    this.retryable = traits.retryable ?? false;
  }
}

type NamedError = RingvaultError;
export type NamedErrorClass = (new (
  message: string,
  options?: ErrorOptions,
) => NamedError) & { readonly errorName: string; readonly traits: ErrorTraits };

const classes = new Map<string, NamedErrorClass>();

/** Defines an error whose `name` is the literal given, so that it survives minification. */
function defineError(errorName: string, traits: ErrorTraits): NamedErrorClass {
  const errorClass = class extends RingvaultError {
    static readonly errorName = errorName;
    static readonly traits = traits;
    override readonly name = errorName;
    constructor(message: string, options?: ErrorOptions) {
      super(traits, message, options);
    }
  };
  classes.set(errorName, errorClass);
  return errorClass;
}

// Wrong use
export const InvalidConfiguration = defineError('InvalidConfiguration', {
  hint: 'Correct ringvault.yaml at the path named and deploy again.',
  exitCode: 2,
});
export const InvalidRequest = defineError('InvalidRequest', {
  hint: 'Correct the input of the execution; README.md shows the input of each workflow.',
  exitCode: 2,
});
export const InvalidDocument = defineError('InvalidDocument', {
  hint: 'A stored document does not have the shape it must have. Do not edit it; restore the object version before.',
  exitCode: 5,
});
export const NewerFormat = defineError('NewerFormat', {
  hint: 'The document was written by a newer Ringvault. Use that version or a later one to read it.',
  exitCode: 3,
});

// Not found
export const UnknownCluster = defineError('UnknownCluster', {
  hint: 'Use a cluster ID of ringvault.yaml, and deploy after adding one.',
  exitCode: 4,
});
export const UnknownRun = defineError('UnknownRun', {
  hint: 'List the runs with `ringvault list`.',
  exitCode: 4,
});
export const UnknownBackup = defineError('UnknownBackup', {
  hint: 'List the backups with `ringvault list`; a failed or unsealed backup cannot be restored.',
  exitCode: 4,
});
export const NoBackup = defineError('NoBackup', {
  hint: 'The cluster has no completed backup yet: start one with `ringvault backup`.',
  exitCode: 4,
});

export const UnknownStack = defineError('UnknownStack', {
  hint: 'Deploy with `npx cdk deploy`, or name the stack with --stack and its place with --region and --profile.',
  exitCode: 4,
});

// Refused
export const NotConfirmed = defineError('NotConfirmed', {
  hint: 'Type the cluster ID when asked, or give --yes where nobody can be asked. Nothing was started.',
  exitCode: 3,
});
export const ClusterBusy = defineError('ClusterBusy', {
  hint: 'Wait for the run that is named, or cancel it with `ringvault cancel`, then start again.',
  exitCode: 3,
});
export const StaleRun = defineError('StaleRun', {
  hint: 'The run that holds the cluster is no longer executed; the Recover workflow brings it to an end first.',
  exitCode: 3,
});
export const RunEnded = defineError('RunEnded', { hint: 'The run has ended: start a new run.', exitCode: 3 });
export const NoHosts = defineError('NoHosts', {
  hint: 'Tag the instances as ringvault.yaml says, and see that their SSM agent is registered.',
  exitCode: 3,
});
export const HostUnreachable = defineError('HostUnreachable', {
  hint: 'See why the SSM agent of the host is not online (instance stopped, agent, network, role), then start again.',
  exitCode: 3,
});
export const ActionLost = defineError('ActionLost', {
  hint: 'The host program stopped answering and a retry did not find it. See its log under /var/lib/ringvault/log.',
});
export const UnsupportedHost = defineError('UnsupportedHost', {
  hint: 'Hosts are Linux on the architecture that ringvault.yaml names, with glibc 2.28 or later.',
  exitCode: 3,
});
export const NodeDown = defineError('NodeDown', {
  hint: 'Bring the node back to Up/Normal (nodetool status), then start again.',
  exitCode: 3,
});
export const UnmanagedNode = defineError('UnmanagedNode', {
  hint: 'A ring member runs on no host with the cluster’s tag that SSM manages: tag it, or remove it from the ring.',
  exitCode: 3,
});
export const RingDisagreement = defineError('RingDisagreement', {
  hint: 'The nodes do not see the same ring. Wait until gossip has settled (nodetool status on each), then start again.',
  exitCode: 3,
});
export const SchemaDisagreement = defineError('SchemaDisagreement', {
  hint: 'Wait for schema agreement (nodetool describecluster), then start again.',
  exitCode: 3,
});
export const RingChanged = defineError('RingChanged', {
  hint: 'The ring changed while the backup was taken, twice. Start again when no node joins, leaves or moves.',
  exitCode: 3,
});
export const SchemaChanged = defineError('SchemaChanged', {
  hint: 'The schema changed while the backup was taken, twice. Start again when no schema change is under way.',
  exitCode: 3,
});
export const SnapshotSpreadExceeded = defineError('SnapshotSpreadExceeded', {
  hint: 'Correct the hosts’ clocks or raise policy.maxSnapshotSpreadSeconds, then start again.',
  exitCode: 3,
});
export const RestoreNotAllowed = defineError('RestoreNotAllowed', {
  hint: 'Write the cluster ID into /etc/ringvault/restore-allowed on each host, then start again.',
  exitCode: 3,
});
export const InsufficientSpace = defineError('InsufficientSpace', {
  hint: 'Free space on the data directory named, or lower limits.reserveBytes, then start again.',
  exitCode: 3,
});
export const IncompatibleVersion = defineError('IncompatibleVersion', {
  hint: 'Restore with a Cassandra that reads the SSTable format of the backup.',
  exitCode: 3,
});
export const TopologyMismatch = defineError('TopologyMismatch', {
  hint: 'A restore in place needs every node of the backup, by host ID and with the same tokens.',
  exitCode: 3,
});
export const SchemaConflict = defineError('SchemaConflict', {
  hint: 'Bring the live schema to what the message names (rename or drop the table, or drop the index), then start again.',
  exitCode: 3,
});
export const NothingToUndo = defineError('NothingToUndo', {
  hint: 'Only a completed restore that was neither undone nor released can be undone or released.',
  exitCode: 3,
});

// Cassandra on a host
export const CassandraUnavailable = defineError('CassandraUnavailable', {
  hint: 'See Cassandra’s system.log on the host named, and its credentials in Secrets Manager.',
});
export const CredentialsRejected = defineError('CredentialsRejected', {
  hint: 'Correct the username and password in the secret named, and the role’s grants in Cassandra.',
});
export const NodetoolFailed = defineError('NodetoolFailed', {
  hint: 'Run the command that is named on the host to see why.',
});
export const CommandFailed = defineError('CommandFailed', {
  hint: 'Run the command that is named on the host to see why, and correct cassandra.start or cassandra.stop.',
});
export const SnapshotIncomplete = defineError('SnapshotIncomplete', {
  hint: 'The snapshot on disk is not what Cassandra said it made. See system.log on the host; then start again.',
  exitCode: 5,
});
export const FileVanished = defineError('FileVanished', {
  hint: 'Something deleted a file of this run’s snapshot: look for clearsnapshot jobs on the host.',
  exitCode: 5,
});
export const FileUnstable = defineError('FileUnstable', {
  hint: 'A file changed each time it was read. See what writes to it, then start again.',
});
export const DataRot = defineError('DataRot', {
  hint: 'The file on the disk is not what Cassandra wrote. Run nodetool scrub or replace the node, then start again.',
  exitCode: 5,
});
export const LeftoverTransaction = defineError('LeftoverTransaction', {
  hint: 'An unfinished compaction or another restore is in the directory named; start Cassandra once so that it cleans up.',
  exitCode: 3,
});
export const SwapConflict = defineError('SwapConflict', {
  hint: 'Directories are not where the swap journal says. Do not start Cassandra; see docs/operations.md, "A swap in conflict".',
  exitCode: 5,
});
export const RestoreIncomplete = defineError('RestoreIncomplete', {
  hint: 'The restored cluster is not what the backup says. `ringvault undo` brings the data before it back.',
  exitCode: 5,
});

// Vault
export const BackupDamaged = defineError('BackupDamaged', {
  hint: 'The vault does not hold what the manifest says. Look for the object’s earlier version; take a new backup now.',
  exitCode: 5,
});
export const BackupIncomplete = defineError('BackupIncomplete', {
  hint: 'A node’s manifest lacks what the snapshot had; the backup was not sealed. Start again.',
  exitCode: 5,
});
export const VaultUnavailable = defineError('VaultUnavailable', {
  hint: 'S3 did not answer after all retries. See the host’s network and S3’s status.',
  retryable: true,
});
export const VaultDenied = defineError('VaultDenied', {
  hint: 'Attach the cluster’s host policy to the role of the host, or deploy again if the policy was changed by hand.',
});
export const ManifestConflict = defineError('ManifestConflict', {
  hint: 'A different manifest of this run stands under the same key. Start a new run.',
  exitCode: 5,
});
export const LockLost = defineError('LockLost', {
  hint: 'Another run took the cluster over. See the history with `ringvault list`.',
  exitCode: 3,
});
export const RecoveryIncomplete = defineError('RecoveryIncomplete', {
  hint: 'A host could not be brought to a whole state. Bring it back online; the scheduled sweep tries again.',
});
/** For the CLI: what a person's own call to AWS met. */
export const AwsCallFailed = defineError('AwsCallFailed', {
  hint: 'Check your AWS credentials (aws sts get-caller-identity), their permissions, the region and the endpoint.',
});
/** For what nobody foresaw: the message is the original error's. */
export const UnexpectedError = defineError('UnexpectedError', {
  hint: 'This is a defect. Please report it with the log of the step or host.',
});

export const errorClasses: ReadonlyMap<string, NamedErrorClass> = classes;

/** For `ErrorEquals` in retriers: derived here, so that no list is typed twice. */
export const retryableErrorNames: readonly string[] = [...classes.values()]
  .filter((errorClass) => errorClass.traits.retryable)
  .map((errorClass) => errorClass.errorName);

/** How an error is told across a boundary; `cause` of a failed task token is `message`, a line feed, then `hint`. */
export interface ToldError {
  errorName: string;
  message: string;
  hint: string;
}

export function tellError(error: unknown): ToldError {
  if (error instanceof RingvaultError) {
    return { errorName: error.name, message: error.message, hint: error.hint };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { errorName: 'UnexpectedError', message, hint: UnexpectedError.traits.hint };
}

/** The inverse of {@link tellError}; an unknown name becomes an UnexpectedError that keeps it. */
export function errorFrom(
  told: { errorName: string; message: string },
  options?: ErrorOptions,
): RingvaultError {
  const errorClass = classes.get(told.errorName);
  return errorClass
    ? new errorClass(told.message, options)
    : new UnexpectedError(`${told.errorName}: ${told.message}`, options);
}
