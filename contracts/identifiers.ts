// Identifiers that cross a boundary: their patterns, and the pure rules that derive one from another.
import { z } from 'zod';

/** Chosen by the operator; it is a part of S3 keys, SSM parameters and snapshot tags. */
export const clusterId = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/,
    'a cluster ID has 1 to 40 of a-z, 0-9 and "-", no "-" at the ends',
  );

/** In messages about a start whose cluster is not deployed. */
export const UNKNOWN_CLUSTER = 'unknown';

/** `<UTC start to the second>-<8 hex digits of the SHA-256 of the execution ARN>`; a backup's run ID is its backup ID. */
export const runId = z
  .string()
  .regex(/^\d{8}t\d{6}z-[0-9a-f]{8}$/, 'a run ID looks like 20261121t020000z-0a1b2c3d');
export const backupId = runId.describe('The run ID of the backup');

/**
 * What a backup is made of. consistent: a snapshot of all nodes while the cluster's applications are paused. incremental: what was
 * written since the backup before it.
 */
export const backupKind = z.enum(['snapshot', 'consistent', 'incremental']);
export type BackupKind = z.infer<typeof backupKind>;

/** `<runId>.<phase>`: the same across retries of one phase, and unique on a host. */
export const actionId = z.string().regex(/^\d{8}t\d{6}z-[0-9a-f]{8}\.[a-z][a-z0-9-]{0,40}$/);

export const instanceId = z
  .string()
  .regex(/^i-[0-9a-f]{8,17}$/, 'an EC2 instance ID looks like i-0123456789abcdef0');

export const ipAddress = z.union([z.ipv4(), z.ipv6()]);

/** An EC2 tag that selects instances. */
export const instanceTag = z.strictObject({
  key: z.string().min(1).max(128),
  value: z.string().min(1).max(256),
});
export type InstanceTag = z.infer<typeof instanceTag>;
export const instanceArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:ec2:[a-z0-9-]+:\d{12}:instance\/i-[0-9a-f]{8,17}$/, 'an EC2 instance ARN');
export const kmsKeyArn = z
  .string()
  .regex(
    /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/,
    'the ARN of a KMS key (not of an alias)',
  );
export const executionArn = z.string().regex(/^arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:execution:.+$/);
export const hostId = z.uuid();
/** 32 hex digits without dashes, as Cassandra writes it in directory names. */
export const tableId = z.string().regex(/^[0-9a-f]{32}$/, 'a table ID has 32 hex digits');
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 has 64 hex digits');
export const isoTime = z.iso.datetime({
  precision: 3,
  message: 'a UTC time such as 2026-11-21T02:00:00.000Z',
});
export const byteCount = z.int().nonnegative();
export const count = z.int().nonnegative();

/** `2026-11-21T02:00:00.123Z` → `20261121t020000z`. */
export function compactTime(iso: string): string {
  return `${iso.slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase()}z`;
}

/** @param executionHash hex SHA-256 of the execution ARN */
export function runIdOf(startedAt: string, executionHash: string): string {
  return runId.parse(`${compactTime(startedAt)}-${executionHash.slice(0, 8)}`);
}

/** The start that a run ID names, to the second. */
export function startOfRun(run: string): string {
  const time = /^(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)z/.exec(runId.parse(run)) ?? [];
  const [, year, month, day, hour, minute, second] = time;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
}

export function actionIdOf(run: string, phase: string): string {
  return actionId.parse(`${run}.${phase}`);
}

/** The only snapshot tags that a run may make or clear; each attempt (`round`) at a snapshot has its own. */
export function snapshotTagOf(run: string, round: number): string {
  return `ringvault-${run}-${round}`;
}

/** Of both rounds: a run takes its snapshot at most twice. */
export function snapshotTagsOf(runId: string): string[] {
  return [1, 2].map((round) => snapshotTagOf(runId, round));
}

/** A run's hosts are in the account and region of its execution: one stack serves one account and region. */
export function instanceArnBeside(execution: string, instance: string): string {
  const [, partition, , region, account] = execution.split(':');
  return instanceArn.parse(`arn:${partition}:ec2:${region}:${account}:instance/${instance}`);
}
