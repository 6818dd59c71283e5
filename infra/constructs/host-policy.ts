// What a cluster's hosts may do: the one managed policy to be attached to their instances' role. A host is not trusted
// more than it must be: it deletes nothing, lists nothing in the vault, and sees no other cluster but those of `restoresFrom`.
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { ClusterConfiguration, RingvaultConfiguration } from '../../contracts/configuration.ts';
import type { HostBundle } from '../host-bundle/host-bundle.ts';
import type { ClusterKeys } from './cluster-keys.ts';
import type { MachineNames } from './machine-names.ts';
import { otherVaultHostStatements } from './other-vaults.ts';

export interface HostPolicyProps {
  configuration: RingvaultConfiguration;
  clusterId: string;
  cluster: ClusterConfiguration;
  bucket: IBucket;
  prefix: string;
  bundle: HostBundle;
  keys: ClusterKeys;
  machines: MachineNames;
}

/** Of an instance's own credentials; IAM puts the ARN in, so that a host reaches its own keys alone. */
const OWN_ARN = `\${ec2:SourceInstanceARN}`;

export function hostPolicy(scope: Construct, props: HostPolicyProps): ManagedPolicy {
  return new ManagedPolicy(scope, `HostPolicy-${props.clusterId}`, {
    description: `Ringvault: what the hosts of ${props.clusterId} may do`,
    statements: [
      ...vaultStatements(props),
      ...props.keys.hostStatements(props.clusterId),
      ...sourceStatements(props),
      ...otherVaultHostStatements(scope, props.configuration, props.clusterId),
      ...bundleStatements(props),
      ...serviceStatements(props),
    ],
  });
}

function vaultStatements(props: HostPolicyProps): PolicyStatement[] {
  const { clusterId, bucket, prefix } = props;
  const keys = (...patterns: string[]) => patterns.map((each) => bucket.arnForObjects(`${prefix}${each}`));
  const objects = `clusters/${clusterId}/objects/*`;
  const backups = `clusters/${clusterId}/backups/*`;
  const ownManifests = `clusters/${clusterId}/backups/*/nodes/${OWN_ARN}/*`;
  return [
    new PolicyStatement({
      sid: 'ReadBackupsAndOwnActions',
      actions: ['s3:GetObject'],
      resources: keys(objects, backups, `actions/${OWN_ARN}/*`),
    }),
    // The bucket's policy lets nobody overwrite objects and manifests.
    new PolicyStatement({
      sid: 'WriteObjectsAndOwnReports',
      actions: ['s3:PutObject'],
      resources: keys(objects, ownManifests, `results/${OWN_ARN}/*`, `progress/${OWN_ARN}/*`),
      // What a stranger's key encrypts is lost when the stranger says so.
      conditions: props.keys.onlyOwnKey(clusterId),
    }),
    // A listing of many files goes up in parts, as a large object does.
    new PolicyStatement({
      sid: 'EndUploads',
      actions: ['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
      resources: keys(objects, ownManifests),
    }),
  ];
}

/** Of clusters of this vault whose backups may be restored to this one. */
function sourceStatements({ cluster, bucket, prefix, keys }: HostPolicyProps): PolicyStatement[] {
  const others = cluster.restoresFrom.filter((source) => typeof source === 'string');
  if (others.length === 0) return [];
  const folders = others.flatMap((source) => [
    `clusters/${source}/objects/*`,
    `clusters/${source}/backups/*`,
  ]);
  return [
    new PolicyStatement({
      sid: 'ReadBackupsOfOthers',
      actions: ['s3:GetObject'],
      resources: folders.map((each) => bucket.arnForObjects(`${prefix}${each}`)),
    }),
    ...keys.readStatements(...others),
  ];
}

/** The agent looks for the archive by its whole key before it gets it. */
function bundleStatements({ bundle: { asset } }: HostPolicyProps): PolicyStatement[] {
  return [
    new PolicyStatement({
      sid: 'GetHostBundle',
      actions: ['s3:GetObject'],
      resources: [asset.bucket.arnForObjects(asset.s3ObjectKey)],
    }),
    new PolicyStatement({
      sid: 'FindHostBundle',
      actions: ['s3:ListBucket'],
      resources: [asset.bucket.bucketArn],
      conditions: { StringLike: { 's3:prefix': `${asset.s3ObjectKey}*` } },
    }),
  ];
}

function serviceStatements({ cluster, machines }: HostPolicyProps): PolicyStatement[] {
  return [
    new PolicyStatement({
      sid: 'AnswerActions',
      actions: ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:SendTaskHeartbeat'],
      resources: machines.taskTokenArns(),
    }),
    new PolicyStatement({
      sid: 'ReadCredentials',
      actions: ['secretsmanager:GetSecretValue'],
      resources: [cluster.cassandra.cql.credentialsSecretArn],
    }),
  ];
}
