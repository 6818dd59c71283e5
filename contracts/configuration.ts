// ringvault.yaml: what an operator may say. Read at synth, validated once; each cluster's part reaches its runs as JSON.
import { z } from 'zod';
import { backupKind, clusterId, instanceTag, kmsKeyArn } from './identifiers.ts';
import { PAUSE_PROGRAM } from './limits.ts';
import { pauseHook } from './pause.ts';
import { selectionFields, tablePatterns } from './selection.ts';

/** An argument list, executed without a shell. */
const argv = z.array(z.string().min(1)).min(1);
const hostPath = z.string().regex(/^\/[^\0]*$/, 'an absolute path on the host');
const seconds = (least: number, most: number) => z.int().min(least).max(most);

/** Keys of a vault start with it. */
const vaultPrefix = z
  .string()
  .regex(/^(?:[a-z0-9][a-z0-9._-]*\/)*$/, 'empty, or ends with "/"')
  .default('');

/** Designed but not built: named in the refusal, so that nobody believes that they are in force. */
const notYet = ['retention', 'commitLog', 'drills', 'objectLock'] as const;

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Of a schedule: half a day. */
export const MOST_WINDOW_MINUTES = 720;

const schedule = z.strictObject({
  /** Names the schedule in the console; unique in its cluster. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,19}$/),
  kind: backupKind,
  /** EventBridge Scheduler's own expression, precise to a minute: cron(…) or rate(…). */
  expression: z
    .string()
    .regex(/^(cron|rate)\(.+\)$/, 'cron(…) or rate(…), as EventBridge Scheduler takes it'),
  /** An IANA time zone. */
  timezone: z
    .string()
    .refine(isTimeZone, { error: ({ input }) => `got ${JSON.stringify(input)}, expected an IANA time zone` })
    .default('UTC'),
  enabled: z.boolean().default(true),
  ...selectionFields,
  /**
   * A run begins within so many minutes of its time, or not at all: then it was missed. Covers late deliveries and waiting for
   * other runs. At most what a waiting workflow can count in its history.
   */
  windowMinutes: z.int().min(1).max(MOST_WINDOW_MINUTES).default(60),
  /** EventBridge may choose any moment of the window, so that not everything begins at once. */
  flexible: z.boolean().default(false),
  /** Where another run has the cluster: wait for it until the window ends, or skip this time. */
  overlap: z.enum(['queue', 'skip']).default('queue'),
});
export type Schedule = z.infer<typeof schedule>;

const cassandra = z.strictObject({
  configFile: hostPath.default('/etc/cassandra/cassandra.yaml'),
  nodetool: argv.default(['nodetool']),
  /** A file on the host with one line `user password`, for nodetool -u/-pwf, readable by root alone. */
  jmxPasswordFile: hostPath.optional(),
  /**
   * cassandra.in.sh, by which Cassandra's own tools find their Java and their class path: for the bulk loader. By default it is
   * looked for where these look for it.
   */
  includeFile: hostPath.optional(),
  start: argv.default(['systemctl', 'start', 'cassandra']),
  stop: argv.default(['systemctl', 'stop', 'cassandra']),
  /** How long a node may take to be Up/Normal and serve CQL after its start. */
  startTimeoutSeconds: seconds(10, 86_400).default(900),
  stopTimeoutSeconds: seconds(10, 3_600).default(300),
  cql: z.strictObject({
    /** A secret with the JSON `{"username": …, "password": …}`. */
    credentialsSecretArn: z
      .string()
      .regex(
        /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+$/,
        'a Secrets Manager ARN',
      ),
    port: z.int().min(1).max(65_535).default(9042),
    /** Given: CQL over TLS, the server's certificate checked against this CA on the host. */
    tlsCaFile: hostPath.optional(),
  }),
});

const encryption = z.strictObject({
  /** kms: S3 encrypts what a backup is made of with the cluster's KMS key. s3: with keys of its own. */
  serverSide: z.enum(['kms', 's3']).default('kms'),
  /**
   * Whether the hosts encrypt objects themselves, before S3 sees them (AES-256-GCM, with data keys that the cluster's KMS key
   * wraps). What was stored before is stored anew.
   */
  clientSide: z.boolean().default(false),
  /** The cluster's key; without it the stack makes one, which it never deletes. */
  kmsKeyArn: kmsKeyArn.optional(),
  /** Keys that the cluster had before, and that its stored backups still need. */
  formerKmsKeyArns: z.array(kmsKeyArn).default([]),
});

/** Less would let a connection fall silent for longer than S3 waits. */
export const bytesPerSecond = z.int().min(256 * 1024);

/** As an operator calls another vault. */
export const vaultName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'at most 40 of a-z, 0-9 and "-"');

/** Where a vault is. */
export const vaultPlace = z.strictObject({
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of an S3 bucket'),
  prefix: vaultPrefix,
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'an AWS region'),
  /** Where the keys are that hosts encrypted with; that of the bucket without it. */
  kmsRegions: z.array(z.string()).optional(),
});
export type VaultPlace = z.infer<typeof vaultPlace>;

/** A vault that is not this deployment's, perhaps of another account or region: a copy of one, or of another Ringvault. */
export const otherVault = z.strictObject({
  ...vaultPlace.omit({ kmsRegions: true }).shape,
  /** Whose bucket it is: given for all of them, nobody else's of the name is read. */
  account: z
    .string()
    .regex(/^\d{12}$/, 'an AWS account ID')
    .optional(),
  /** Keys that its backups need: those that S3 encrypts them with there, and those that hosts encrypted them with. */
  kmsKeyArns: z.array(kmsKeyArn).default([]),
});
export type OtherVault = z.infer<typeof otherVault>;

/** Whose backups may be restored to a cluster: another's of this vault, or any's of another vault. */
const restoresFrom = z.union(
  [clusterId, z.strictObject({ cluster: clusterId, vault: vaultName })],
  'a cluster ID, or {cluster, vault}',
);
export type RestoresFrom = z.infer<typeof restoresFrom>;

const limits = z.strictObject({
  /** Hosts that one workflow works on at the same time. */
  hostsAtOnce: z.int().min(1).max(1_000).default(1_000),
  uploadsAtOnce: z.int().min(1).max(64).default(8),
  downloadsAtOnce: z.int().min(1).max(64).default(8),
  /** Threads that hash what is uploaded, and that receive, hash and write what is downloaded. Each takes memory of its own. */
  hashesAtOnce: z.int().min(1).max(4).default(2),
  /** Of one host, to the vault and from it; no limit where there is none. */
  uploadBytesPerSecond: bytesPerSecond.optional(),
  downloadBytesPerSecond: bytesPerSecond.optional(),
  /**
   * From a snapshot to the end of its upload: as much of this time is taken as there is, to be the least burden on the host. Without
   * it, and once it is over, an upload goes as fast as it may. It is reckoned by all bytes of the snapshot that are not known to be
   * stored yet, so a backup with little that is new ends early.
   */
  finishWithinMinutes: z
    .int()
    .min(1)
    .max(7 * 24 * 60)
    .optional(),
  /**
   * Of the files whose hash is known from a backup before, so many in a hundred are read again all the same: to find a file
   * that changed though its inode, size and times say that it did not. S3 is asked about a few of them; about all where it is 100.
   */
  rehashPercent: z.number().min(0).max(100).default(1),
  /** How far uploads and downloads give way to Cassandra, as nice(1) counts; their disk priority is the lowest then. 0: not. */
  niceness: z.int().min(0).max(19).default(10),
  /** Free space that a restore leaves on each data directory's file system. */
  reserveBytes: z
    .int()
    .nonnegative()
    .default(10 * 1024 ** 3),
});

const policy = z
  .strictObject({
    /** From the moment that the last host is told of it to the snapshot: in this time its program must start. */
    rendezvousSeconds: seconds(1, 600).default(20),
    /** A snapshot whose first start and last end lie further apart over all nodes fails the backup. */
    maxSnapshotSpreadSeconds: seconds(1, 3_600).default(60),
    /** A host program that was not heard of for so long is tried again. */
    heartbeatSeconds: seconds(5, 3_600).default(120),
    /** One action on one host, at most. */
    actionTimeoutSeconds: seconds(60, 7 * 86_400).default(86_400),
    /**
     * A Data.db that is not what its Digest.crc32 says has rotted on the disk. The backup fails by its name; or stores it as it is,
     * marked as damaged, and warns.
     */
    damagedFiles: z.enum(['refuse', 'store']).default('refuse'),
    /** A cluster whose newest backup is older than this raises the alarm. */
    backupAgeAlarmHours: z.int().min(1).max(8_760).default(26),
  })
  .refine((each) => each.heartbeatSeconds < each.actionTimeoutSeconds, {
    path: ['heartbeatSeconds'],
    message: 'expected less than actionTimeoutSeconds',
  });

/** From a command's sending to its answer, at most, besides `waitSeconds`: its delivery, the script's grace, SSM itself. */
const RUN_COMMAND_SECONDS = PAUSE_PROGRAM.delivery + PAUSE_PROGRAM.script + PAUSE_PROGRAM.status;

const incremental = z.strictObject({
  /** Where an incremental would not hold all that was written since: a whole backup is taken instead, or the run fails. */
  onGap: z.enum(['base', 'fail']).default('base'),
  /** Incrementals on one base: a restore reads all of them, and needs each. One more is a gap. */
  longestChain: z.int().min(1).max(1_000).default(200),
});

const notifications = z.strictObject({
  emails: z.array(z.email()).default([]),
  /** HTTPS endpoints that take SNS messages. */
  urls: z.array(z.url({ protocol: /^https$/ })).default([]),
});

export const clusterConfiguration = z
  .strictObject({
    hosts: z.strictObject({
      /** The EC2 tag that selects the cluster's instances. */
      tag: instanceTag,
      architecture: z.enum(['x64', 'arm64']).default('x64'),
    }),
    /** Cassandra's names of the datacenters that the hosts are in; a host in another one is refused. */
    datacenters: z.array(z.string().min(1)).min(1),
    /** What is backed up of the users' keyspaces, unless a schedule or a request says otherwise; all by default. */
    keyspaces: tablePatterns.optional(),
    cassandra,
    /** What is newly stored is compressed, if a sample of it shrinks: most SSTables are compressed already. */
    compression: z.enum(['none', 'zstd']).default('none'),
    encryption: encryption.prefault({}),
    /**
     * Clusters whose backups may be restored to this one, because its hosts may read them then: others of this file, and any, itself
     * too, of a vault of `vaults`.
     */
    restoresFrom: z.array(restoresFrom).default([]),
    /** Needed for backups of the kind `consistent`. */
    pause: pauseHook.optional(),
    schedules: z.array(schedule).default([]),
    limits: limits.prefault({}),
    policy: policy.prefault({}),
    incremental: incremental.prefault({}),
    notifications: notifications.prefault({}),
  })
  .refine(({ limits, policy }) => (limits.finishWithinMinutes ?? 0) * 60 < policy.actionTimeoutSeconds, {
    path: ['limits', 'finishWithinMinutes'],
    message: 'expected less than policy.actionTimeoutSeconds',
  })
  .refine(({ pause, policy }) => !pause || pause.waitSeconds + policy.rendezvousSeconds < pause.maxSeconds, {
    path: ['pause', 'maxSeconds'],
    message: 'expected more than pause.waitSeconds and policy.rendezvousSeconds together',
  })
  .refine(({ pause }) => !pause?.command || pause.waitSeconds + RUN_COMMAND_SECONDS < pause.maxSeconds, {
    path: ['pause', 'maxSeconds'],
    message: `expected more than pause.waitSeconds and ${RUN_COMMAND_SECONDS} together, which Run Command may take`,
  })
  .superRefine(({ pause, schedules }, context) => {
    for (const [index, { kind }] of schedules.entries()) {
      if (kind === 'consistent' && !pause) {
        context.addIssue({
          code: 'custom',
          path: ['schedules', index, 'kind'],
          message: 'got "consistent", expected `pause` beside `schedules`',
        });
      }
    }
  });
export type ClusterConfiguration = z.infer<typeof clusterConfiguration>;

/** The configuration as a run finds it in the vault, `config/<digest>.json`. */
export const deployedConfiguration = z.strictObject({
  formatVersion: z.literal(1),
  clusterId,
  cluster: clusterConfiguration,
  /** Those of its `restoresFrom`. */
  vaults: z.record(vaultName, otherVault).default({}),
});
export type DeployedConfiguration = z.infer<typeof deployedConfiguration>;

export const ringvaultConfiguration = z
  .strictObject({
    vault: z
      .strictObject({
        prefix: vaultPrefix,
      })
      .prefault({}),
    /** Other vaults that can be restored from, by a name of their own. */
    vaults: z.record(vaultName, otherVault).default({}),
    clusters: z.record(clusterId, clusterConfiguration),
  })
  .superRefine((configuration, context) => {
    for (const [id, cluster] of Object.entries(configuration.clusters)) {
      for (const [index, source] of cluster.restoresFrom.entries()) {
        const isKnown =
          typeof source === 'string'
            ? source !== id && configuration.clusters[source]
            : configuration.vaults[source.vault];
        if (isKnown) continue;
        const [got, expected] =
          typeof source === 'string'
            ? [source, 'another cluster of this file']
            : [source.vault, 'a name of `vaults`'];
        context.addIssue({
          code: 'custom',
          path: ['clusters', id, 'restoresFrom', index],
          message: `got "${got}", expected ${expected}`,
        });
      }
      const names = cluster.schedules.map((each) => each.name);
      for (const [index, name] of names.entries()) {
        if (names.indexOf(name) !== index) {
          context.addIssue({
            code: 'custom',
            path: ['clusters', id, 'schedules', index, 'name'],
            message: `got "${name}" twice, expected names unique in the cluster`,
          });
        }
      }
    }
  });
export type RingvaultConfiguration = z.infer<typeof ringvaultConfiguration>;

/** What of the file a run of the cluster works by. */
export function deployedOf(
  { clusters, vaults }: Pick<RingvaultConfiguration, 'clusters' | 'vaults'>,
  id: string,
): DeployedConfiguration {
  const cluster = clusters[id];
  if (!cluster) throw new Error(`cluster ${id} is not in the configuration`);
  const named = new Set(
    cluster.restoresFrom.map((source) => (typeof source === 'string' ? '' : source.vault)),
  );
  const own = Object.entries(vaults).filter(([name]) => named.has(name));
  return { formatVersion: 1, clusterId: id, cluster, vaults: Object.fromEntries(own) };
}

/** True for a key that design.md plans and this version does not implement. */
export function isPlannedKey(key: string): boolean {
  return (notYet as readonly string[]).includes(key);
}
