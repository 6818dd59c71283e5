// Every failure has a name. Names travel: host program → task token → Step Functions `Error` → catalog → mail → exit code.

/** What an error class says once for all its instances. */
interface ErrorTraits {
  /** What is the case when it is thrown: the cause, in docs/reference/errors.md. */
  meaning: string;
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
  meaning:
    'A key or value of ringvault.yaml is not what it may be, or names something that this version does not do.',
  hint: 'Correct ringvault.yaml at the path named and deploy again.',
  exitCode: 2,
});
export const InvalidRequest = defineError('InvalidRequest', {
  meaning: 'The input of a workflow, or a command line, is not what it may be.',
  hint: 'Correct the input of the execution; README.md shows the input of each workflow.',
  exitCode: 2,
});
export const InvalidDocument = defineError('InvalidDocument', {
  meaning: 'A document that was read does not have the shape that its format says.',
  hint: 'A stored document does not have the shape it must have. Do not edit it; restore the object version before.',
  exitCode: 5,
});
export const NewerFormat = defineError('NewerFormat', {
  meaning: 'A document carries a formatVersion above the one that this Ringvault reads.',
  hint: 'The document was written by a newer Ringvault. Use that version or a later one to read it.',
  exitCode: 3,
});

// Not found
export const UnknownCluster = defineError('UnknownCluster', {
  meaning: 'No cluster of this ID is deployed, or, for the command, none of this ID ever had a run.',
  hint: 'Use a cluster ID of ringvault.yaml, and deploy after adding one.',
  exitCode: 4,
});
export const UnknownRun = defineError('UnknownRun', {
  meaning: 'The cluster has no run of this ID.',
  hint: 'List the runs with `ringvault list`.',
  exitCode: 4,
});
export const UnknownBackup = defineError('UnknownBackup', {
  meaning: 'The vault holds no sealed backup of this ID.',
  hint: 'List the backups with `ringvault list`; a failed or unsealed backup cannot be restored.',
  exitCode: 4,
});
export const NothingSelected = defineError('NothingSelected', {
  meaning:
    'A node, a datacenter or a pattern of keyspaces that a backup is asked of matches nothing in the cluster; or what a restore or a download is asked of, prefix included, nothing in the backup.',
  hint: 'Correct the request, the schedule or `keyspaces` in ringvault.yaml; names are case-sensitive, and Cassandra’s own keyspaces are chosen by Ringvault. Of a download, correct the option named.',
  exitCode: 4,
});
export const UnknownNode = defineError('UnknownNode', {
  meaning:
    'No run that is kept had a node of this instance ID or host ID; or the seed that was named is none of the cluster’s instances.',
  hint: 'See the IDs of a run’s nodes with `ringvault status <cluster>`.',
  exitCode: 4,
});
export const UnknownRegistration = defineError('UnknownRegistration', {
  meaning: 'The cluster is not registered, or was unregistered.',
  hint: 'Register it with `ringvault register <cluster>`. Backups and restores do not need it.',
  exitCode: 4,
});
export const NoBackup = defineError('NoBackup', {
  meaning: 'The latest backup was asked for, and the cluster has no sealed one.',
  hint: 'The cluster has no completed backup yet: start one with `ringvault backup`.',
  exitCode: 4,
});

export const UnknownStack = defineError('UnknownStack', {
  meaning: 'CloudFormation has no such stack in this account and region, or it is not Ringvault’s.',
  hint: 'Deploy with `npx cdk deploy`, or name the stack with --stack and its place with --region and --profile.',
  exitCode: 4,
});

// Refused
export const NotConfirmed = defineError('NotConfirmed', {
  meaning:
    'What would replace or delete data of a cluster was not confirmed: to the command, or in the workflow’s input.',
  hint: 'Type the cluster ID when asked, or give --yes where nobody can be asked; in an input repeat it as confirmCluster. Nothing was changed.',
  exitCode: 3,
});
export const ClusterBusy = defineError('ClusterBusy', {
  meaning: 'Another run holds the cluster’s lock, and its execution is running.',
  hint: 'Wait for the run that is named, or cancel it with `ringvault cancel`, then start again.',
  exitCode: 3,
});
export const ScheduleMissed = defineError('ScheduleMissed', {
  meaning:
    'A scheduled run could not begin within the window of its schedule: it was delivered late, or another run had the cluster.',
  hint: 'Nothing was changed. Start the backup yourself if you want it now, or give the schedule a longer windowMinutes.',
  exitCode: 3,
});
export const RunSuperseded = defineError('RunSuperseded', {
  meaning:
    'A scheduled run waited for its cluster until the next time of its schedule had come: that one waits on.',
  hint: 'Nothing was changed. Where this happens often, runs take longer than the schedule leaves them.',
  exitCode: 3,
});
/** @public Thrown by the workflow, by its name. */
export const StaleRun = defineError('StaleRun', {
  meaning: 'The lock’s holder is not executed any more, and Recover has not brought it to an end.',
  hint: 'The run that holds the cluster is no longer executed; the Recover workflow brings it to an end first.',
  exitCode: 3,
});
export const RunEnded = defineError('RunEnded', {
  meaning: 'A step, a command or a host program of a run came late: the run had ended.',
  hint: 'The run has ended: start a new run.',
  exitCode: 3,
});
export const NoHosts = defineError('NoHosts', {
  meaning: 'SSM manages no instance with the cluster’s tag.',
  hint: 'Tag the instances as ringvault.yaml says, and see that their SSM agent is registered.',
  exitCode: 3,
});
export const HostUnreachable = defineError('HostUnreachable', {
  meaning: 'An instance with the cluster’s tag is known to SSM, but its agent is not online.',
  hint: 'See why the SSM agent of the host is not online (instance stopped, agent, network, role), then start again.',
  exitCode: 3,
});
export const ActionLost = defineError('ActionLost', {
  meaning: 'A host was not heard of within the heartbeat or the total timeout, retries included.',
  hint: 'The host program stopped answering and a retry did not find it. See its log under /var/lib/ringvault/log.',
});
export const UnsupportedHost = defineError('UnsupportedHost', {
  meaning: 'The host is of another architecture, or its C library is too old for the host program.',
  hint: 'Hosts are Linux on the architecture that ringvault.yaml names, with glibc 2.28 or later.',
  exitCode: 3,
});
export const NodeDown = defineError('NodeDown', {
  meaning: 'A ring member is not Up/Normal in some node’s view, or Cassandra does not answer on a host.',
  hint: 'Bring the node back to Up/Normal (nodetool status), then start again.',
  exitCode: 3,
});
export const NodeNotDead = defineError('NodeNotDead', {
  meaning:
    'A node that is to be brought back on another host may still be alive: a host of the cluster has it, or a node sees it as Up.',
  hint: 'Two nodes with one identity would corrupt the ring. Stop the old host for good and take the cluster’s tag from it, wait until `nodetool status` says DN on every node, then start again.',
  exitCode: 3,
});
export const RestoredSince = defineError('RestoredSince', {
  meaning:
    'The cluster was restored, or a restore undone, after the backup that a dead node is to come back from: what that put away would come back.',
  hint: 'Name a backup from after it, or the one that all of the cluster was restored from. Without one, replace the node by Cassandra’s own means.',
  exitCode: 3,
});
export const CountersAtRisk = defineError('CountersAtRisk', {
  meaning:
    'Some nodes alone are to get older data back, and have tables of counters: what they counted since is lost on all replicas by their first count before they are repaired.',
  hint: 'Restore all nodes together; or keep applications from counting until the nodes are repaired, and set ignoreCounters (--ignore-counters). Instead of a dead node Cassandra’s own replacement has a new host ID, and counts anew.',
  exitCode: 3,
});
export const HostNotEmpty = defineError('HostNotEmpty', {
  meaning:
    'A host that is to take a dead node’s place has a node, or had one: Cassandra runs, or its data directories hold tables.',
  hint: 'Name another host. Only if this one was started by mistake and has no data that anybody needs: docs/operations.md, "One dead node", says how to empty it.',
  exitCode: 3,
});
export const UnmanagedNode = defineError('UnmanagedNode', {
  meaning: 'The ring has a member that none of the cluster’s hosts runs.',
  hint: 'A ring member runs on no host with the cluster’s tag that SSM manages: tag it, or remove it from the ring.',
  exitCode: 3,
});
export const RingDisagreement = defineError('RingDisagreement', {
  meaning: 'Two nodes answered with different views of the ring.',
  hint: 'The nodes do not see the same ring. Wait until gossip has settled (nodetool status on each), then start again.',
  exitCode: 3,
});
export const SchemaDisagreement = defineError('SchemaDisagreement', {
  meaning: 'Two nodes answered with different schema versions.',
  hint: 'Wait for schema agreement (nodetool describecluster), then start again.',
  exitCode: 3,
});
export const RingChanged = defineError('RingChanged', {
  meaning: 'The ring after the snapshot is not the ring before it, in the second round too.',
  hint: 'The ring changed while the backup was taken, twice. Start again when no node joins, leaves or moves.',
  exitCode: 3,
});
export const SchemaChanged = defineError('SchemaChanged', {
  meaning: 'The schema after the snapshot is not the schema before it, in the second round too.',
  hint: 'The schema changed while the backup was taken, twice. Start again when no schema change is under way.',
  exitCode: 3,
});
export const SnapshotSpreadExceeded = defineError('SnapshotSpreadExceeded', {
  meaning: 'Between the first snapshot’s start and the last one’s end lies more than policy allows.',
  hint: 'Correct the hosts’ clocks or raise policy.maxSnapshotSpreadSeconds, then start again.',
  exitCode: 3,
});
export const IncrementalGap = defineError('IncrementalGap', {
  meaning:
    'An incremental backup would not hold all that was written since the backup before it, and policy forbids to take a whole one instead.',
  hint: 'Take a whole backup (kind "snapshot"): the next incremental goes on from it. Or let incremental.onGap take it by itself.',
  exitCode: 3,
});
export const RestoreNotAllowed = defineError('RestoreNotAllowed', {
  meaning: 'The guard file of a host does not name the cluster.',
  hint: 'Write the cluster ID into /etc/ringvault/restore-allowed on each host, then start again.',
  exitCode: 3,
});
export const ImportIncomplete = defineError('ImportIncomplete', {
  meaning: 'Cassandra said that it had imported SSTables, and some are not taken.',
  hint: 'See Cassandra’s log of the node for why it did not take them; restore the table in place instead (without online).',
});
export const LoaderUnavailable = defineError('LoaderUnavailable', {
  meaning:
    'Cassandra’s bulk loader does not start on a host: its cassandra.in.sh, or a Java of 11 or later, is not found.',
  hint: 'Name the host’s cassandra.in.sh in cassandra.includeFile and see that it sets JAVA and CLASSPATH, then start again.',
  exitCode: 3,
});
export const LoadIncomplete = defineError('LoadIncomplete', {
  meaning: 'Cassandra’s bulk loader failed, or said that it had succeeded and left SSTables out.',
  hint: 'See the host program’s log, and Cassandra’s on the nodes named, for why; every node must be up. Start the same restore again: rows that are there already do no harm.',
});
export const HintsPending = defineError('HintsPending', {
  meaning:
    'A node still holds writes for other nodes that these did not take, and tables that are not restored would lose them.',
  hint: 'Recover lets the clients in again. See which node does not take its hints (nodetool listpendinghints, nodetool status), then start again.',
  exitCode: 3,
});
export const GcGracePassed = defineError('GcGracePassed', {
  meaning:
    'Some nodes alone are to be restored from a backup older than gc_grace_seconds: rows that were deleted since would come back to all nodes.',
  hint: 'Restore all nodes of the backup together, or a younger backup. Where no other node has replicas of the tables, or rows that come back do no harm, set ignoreGcGrace (--ignore-gc-grace).',
  exitCode: 3,
});
export const InsufficientSpace = defineError('InsufficientSpace', {
  meaning:
    'A data directory’s file system has less room than the restore needs and the reserve together; or that of a download’s directory less than its files need; or that of a host’s own directory less than two parts of a very large file that is encoded.',
  hint: 'Free space on the directory named (release what restores and undos before kept aside), or, for a restore, lower limits.reserveBytes, then start again.',
  exitCode: 3,
});
export const DirectoryUnusable = defineError('DirectoryUnusable', {
  meaning:
    'The directory that files are to be downloaded to cannot be made or written, or another download is writing to it.',
  hint: 'Name a directory that you may write to, or wait for the other download; then start again.',
  exitCode: 3,
});
export const FileInTheWay = defineError('FileInTheWay', {
  meaning:
    'Where files of a backup are written, kept or deleted stands something that Ringvault did not put there.',
  hint: 'It was left as it is. Move away what is named, then start again; for a download choose another directory: one holds the files of one backup.',
  exitCode: 3,
});
export const IncompatibleVersion = defineError('IncompatibleVersion', {
  meaning: 'The backup holds SSTables of a format that a node’s Cassandra does not read.',
  hint: 'Restore with a Cassandra that reads the SSTable format of the backup.',
  exitCode: 3,
});
export const TopologyMismatch = defineError('TopologyMismatch', {
  meaning: 'The nodes of the cluster, by host ID and tokens, are not those of the backup.',
  hint: 'A restore in place needs every node of the backup, by host ID and with the same tokens. New nodes are a new cluster: see `ringvault tokens`, and restore with --source-cluster. To nodes of any number and tokens, restore with --online.',
  exitCode: 3,
});
export const TokensMismatch = defineError('TokensMismatch', {
  meaning:
    'The nodes of the cluster that another one’s backup is restored to do not have its tokens, datacenters and racks.',
  hint: 'Start the new cluster’s nodes, empty, with the tokens that `ringvault tokens <source cluster>` prints, in the same datacenters and racks; or restore to any nodes with --online.',
  exitCode: 3,
});
export const SameClusterName = defineError('SameClusterName', {
  meaning:
    'The cluster that another one’s backup is restored to has the other’s cluster_name: their nodes could join each other.',
  hint: 'Give the new cluster a cluster_name of its own in cassandra.yaml; a node that has started with the old one must be emptied first.',
  exitCode: 3,
});
export const SchemaConflict = defineError('SchemaConflict', {
  meaning: 'The live schema has something under a name of the backup that is not the same thing.',
  hint: 'Bring the table back under another name beside it (--as), and look at both before anything is dropped. Or bring the live schema to what the message names, where that gives nothing up, then start again.',
  exitCode: 3,
});
export const NothingToUndo = defineError('NothingToUndo', {
  meaning: 'There is no completed restore of which anything is still kept aside to be put back or deleted.',
  hint: 'Only a completed restore that was neither undone nor released can be undone; one that was undone can be released.',
  exitCode: 3,
});

// Pausing applications
export const ApplicationsUnknown = defineError('ApplicationsUnknown', {
  meaning:
    'Nobody is to be paused: DNS does not answer the SRV record of the pause hook or names nobody, or no host has its tag.',
  hint: 'Correct pause.grpc.srv and see that its record can be resolved in the hook’s VPC, or correct pause.command.tag.',
  exitCode: 3,
});
export const PauseFailed = defineError('PauseFailed', {
  meaning:
    'An application is away, or did not say in time that it is paused. Those that were asked to pause are resumed.',
  hint: 'See that the application or host named can be reached, and its log, or raise pause.waitSeconds, then start again.',
});
export const PauseExceeded = defineError('PauseExceeded', {
  meaning: 'The snapshots were not done within pause.maxSeconds. The applications were resumed.',
  hint: 'See which host was slow, or raise pause.maxSeconds, then start again.',
});
export const PauseBroken = defineError('PauseBroken', {
  meaning:
    'After the snapshots an application was not paused, could not be asked, or had come up meanwhile: the backup is not consistent.',
  hint: 'See that nothing restarts or resumes the application named while a backup is taken, then start again.',
});
export const ResumeFailed = defineError('ResumeFailed', {
  meaning:
    'An application that was paused refuses to be resumed, does not answer, or cannot be reached. Recover tries again.',
  hint: 'Resume the application that is named by hand, or restart it: it may still be paused.',
});

// Cassandra on a host
export const CassandraUnavailable = defineError('CassandraUnavailable', {
  meaning: 'Cassandra on the host does not accept CQL connections, or did not come up in time.',
  hint: 'See Cassandra’s system.log on the host named, and its credentials in Secrets Manager.',
});
export const CredentialsRejected = defineError('CredentialsRejected', {
  meaning: 'Cassandra refused the login, or the role may not do what the action needs.',
  hint: 'Correct the username and password in the secret named, and the role’s grants in Cassandra.',
});
export const DataDirectoryMissing = defineError('DataDirectoryMissing', {
  meaning: 'A data directory that the node is configured with is not there on its host.',
  hint: 'Mount or create the directory named, or take it out of data_file_directories, then start again.',
});
export const NodetoolFailed = defineError('NodetoolFailed', {
  meaning: 'A nodetool command ended with another exit code than 0.',
  hint: 'Run the command that is named on the host to see why.',
});
export const CommandFailed = defineError('CommandFailed', {
  meaning: 'The command that starts or stops Cassandra failed, or did not end in time.',
  hint: 'Run the command that is named on the host to see why, and correct cassandra.start or cassandra.stop.',
});
export const SnapshotIncomplete = defineError('SnapshotIncomplete', {
  meaning: 'A snapshot lacks a table, a component or a file that Cassandra’s own manifest lists.',
  hint: 'The snapshot on disk is not what Cassandra said it made. See system.log on the host; then start again.',
  exitCode: 5,
});
export const FileVanished = defineError('FileVanished', {
  meaning: 'A file of the snapshot was there and is not there any more.',
  hint: 'Something deleted a file of this run’s snapshot: look for clearsnapshot jobs on the host.',
  exitCode: 5,
});
export const IncrementsDiffer = defineError('IncrementsDiffer', {
  meaning: 'Two backups of one chain have files of the same path that are not the same.',
  hint: 'The chain cannot be put together. Restore its base alone with snapshotOnly, or an earlier backup; take a whole backup now.',
  exitCode: 5,
});
export const FileUnstable = defineError('FileUnstable', {
  meaning: 'A file was changed while it was read, each time that it was tried.',
  hint: 'A file changed each time it was read. See what writes to it, then start again.',
});
export const DataRot = defineError('DataRot', {
  meaning: 'A Data.db file’s CRC32 is not what its Digest.crc32 says.',
  hint: 'The file on the disk is not what Cassandra wrote. Run nodetool scrub or replace the node, then start again; or let policy.damagedFiles store it.',
  exitCode: 5,
});
export const SwapConflict = defineError('SwapConflict', {
  meaning:
    'A directory that the swap journal names is not in the place that it names, so that going on could lose data.',
  hint: 'Directories are not where the swap journal says. Do not start Cassandra; see docs/operations.md, "A swap in conflict".',
  exitCode: 5,
});
export const RestoreIncomplete = defineError('RestoreIncomplete', {
  meaning: 'After the start, ring, schema or files are not those of the backup.',
  hint: 'The restored cluster is not what the backup says. `ringvault undo` brings the data before it back.',
  exitCode: 5,
});

// Vault
export const BackupDamaged = defineError('BackupDamaged', {
  meaning: 'A manifest or an object in the vault is missing, or its bytes are not those of its hash.',
  hint: 'The vault does not hold what the manifest says. Look for the object’s earlier version; take a new backup now.',
  exitCode: 5,
});
export const BackupIncomplete = defineError('BackupIncomplete', {
  meaning: 'At the seal, a node’s header lacks a table, a data directory or files.',
  hint: 'A node’s manifest lacks what the snapshot had; the backup was not sealed. Start again.',
  exitCode: 5,
});
export const VaultUnavailable = defineError('VaultUnavailable', {
  meaning: 'S3 answered with errors, or not at all, after all retries.',
  hint: 'S3 did not answer after all retries. See the host’s network and S3’s status.',
  retryable: true,
});
export const UnknownVault = defineError('UnknownVault', {
  meaning: 'S3 has no bucket of this name, or has it in another region.',
  hint: 'Correct bucket and region of the vault in `vaults` of ringvault.yaml and deploy again. Of the deployment’s own vault: its bucket was deleted.',
  exitCode: 4,
});
export const ObjectTampered = defineError('ObjectTampered', {
  meaning: 'Both names under which an object may be stored are taken by other bytes.',
  hint: 'Somebody who may write to the vault put them there: see who did (CloudTrail, the objects’ times), end their credentials, have an administrator delete both objects, then back up again.',
  exitCode: 5,
});
export const VaultNotEncrypted = defineError('VaultNotEncrypted', {
  meaning: 'S3 took an object without encrypting it with the cluster’s key, as it was asked to.',
  hint: 'Something between the host and S3 drops headers of requests. Find it, and delete the object named: what lies there is not encrypted, and is taken for stored by the next attempt.',
});
export const EncryptionKeyDenied = defineError('EncryptionKeyDenied', {
  meaning: 'KMS does not let the host, the step or the command use the key that the data is encrypted with.',
  hint: 'See that the key named exists and is enabled, and that its policy and the role’s let it be used. A key that the cluster had before belongs into `encryption.formerKmsKeyArns`; one that is to be deleted can be kept: `aws kms cancel-key-deletion`. Of another vault: its keys belong into `vaults.<name>.kmsKeyArns`, and their policies must let the roles use them.',
});
export const VaultDenied = defineError('VaultDenied', {
  meaning: 'S3 refused a call for lack of permission.',
  hint: 'Attach the cluster’s host policy to the role of the host, or deploy again if the policy was changed by hand. What your own credentials need for the command is in docs/operations.md. Of another vault: its bucket’s policy must let the hosts’ role, and those of PlanRestore and VerifyRestore, read it.',
});
export const ManifestConflict = defineError('ManifestConflict', {
  meaning: 'Under the key of this run’s manifest stand other bytes.',
  hint: 'A different manifest of this run stands under the same key. Start a new run.',
  exitCode: 5,
});
export const LockLost = defineError('LockLost', {
  meaning: 'A write of a run was refused: its fence is not the newest any more.',
  hint: 'Another run took the cluster over. See the history with `ringvault list`.',
  exitCode: 3,
});
export const RecoveryIncomplete = defineError('RecoveryIncomplete', {
  meaning: 'Recover could not bring every host of the ended run to the same whole state; the lock is kept.',
  hint: 'A host could not be brought to a whole state. Bring it back online; the scheduled sweep tries again.',
});
export const AwsUnavailable = defineError('AwsUnavailable', {
  meaning: 'An AWS service other than S3 throttled a step’s call or did not answer it.',
  hint: 'An AWS service throttled or did not answer after all retries. See its status and the account’s quotas.',
  retryable: true,
});
/** For the CLI: what a person's own call to AWS met. */
export const AwsCallFailed = defineError('AwsCallFailed', {
  meaning: 'A call that the command made to AWS was refused, or did not get through.',
  hint: 'Check your AWS credentials (aws sts get-caller-identity), their permissions, the region and the endpoint.',
});
/** For what nobody foresaw: the message is the original error's. */
export const UnexpectedError = defineError('UnexpectedError', {
  meaning: 'Something that nobody foresaw.',
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
