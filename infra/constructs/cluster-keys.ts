// Each cluster's KMS key: S3 encrypts its backups with it, and hosts wrap data keys by it. Losing a key is losing every backup
// that needs it, so one that the stack makes outlives the stack, and one that a cluster had before can still be read with.
import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { RingvaultConfiguration } from '../../contracts/configuration.ts';
import { ENCRYPTION_CONTEXT_KEY } from '../../contracts/encryption.ts';

interface ClusterKey {
  /** What is stored from now on. */
  arn: string;
  /** With those that it had before. */
  all: readonly string[];
  clientSide: boolean;
}

export class ClusterKeys extends Construct {
  private readonly keys: ReadonlyMap<string, ClusterKey>;

  constructor(scope: Construct, id: string, { clusters }: RingvaultConfiguration) {
    super(scope, id);
    this.keys = new Map(
      Object.entries(clusters).map(([clusterId, { encryption }]) => {
        const arn = encryption.kmsKeyArn ?? this.make(clusterId);
        const { clientSide, formerKmsKeyArns } = encryption;
        return [clusterId, { arn, all: [arn, ...formerKmsKeyArns], clientSide }];
      }),
    );
  }

  private make(clusterId: string): string {
    const key = new Key(this, clusterId, {
      description: `Ringvault: the backups of ${clusterId}. Without it they cannot be read.`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    return key.keyArn;
  }

  /** Cluster ID → ARN, as JSON. */
  toJson(): string {
    return Stack.of(this).toJsonString(
      Object.fromEntries([...this.keys].map(([clusterId, { arn }]) => [clusterId, arn])),
    );
  }

  /** What S3 needs to be allowed for a role that reads, and perhaps writes, backups of all clusters. */
  stepStatements(writes: boolean): PolicyStatement[] {
    const keys = [...this.keys.values()];
    const read = this.throughS3(['kms:Decrypt'], [...new Set(keys.flatMap(({ all }) => all))]);
    return writes
      ? [
          read,
          this.throughS3(
            ['kms:GenerateDataKey'],
            keys.map(({ arn }) => arn),
          ),
        ]
      : [read];
  }

  /** Conditions of a put: with the cluster's key, or with the bucket's own where the request names none. */
  onlyOwnKey(clusterId: string): Record<string, Record<string, string>> {
    return {
      StringEqualsIfExists: { 's3:x-amz-server-side-encryption-aws-kms-key-id': this.of(clusterId).arn },
      Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'true' },
    };
  }

  /** Of a cluster's hosts. What they encrypted once they must be able to read, whether they still encrypt or not. */
  hostStatements(clusterId: string): PolicyStatement[] {
    const { arn, clientSide } = this.of(clusterId);
    return [
      ...this.readStatements(clusterId),
      this.throughS3(['kms:GenerateDataKey'], [arn]),
      ...(clientSide ? [directly(['kms:GenerateDataKey'], [arn], [clusterId])] : []),
    ];
  }

  /** Of hosts that read backups of these clusters. */
  readStatements(...clusterIds: string[]): PolicyStatement[] {
    const all = [...new Set(clusterIds.flatMap((each) => this.of(each).all))];
    return [this.throughS3(['kms:Decrypt'], all), directly(['kms:Decrypt'], all, clusterIds)];
  }

  private of(clusterId: string): ClusterKey {
    const key = this.keys.get(clusterId);
    if (!key) throw new Error(`got no key of ${clusterId}`);
    return key;
  }

  private throughS3(actions: string[], resources: readonly string[]): PolicyStatement {
    return throughS3(actions, resources, Stack.of(this).region);
  }
}

/** Of hosts, for data keys, which are bound to their cluster. @param clusterIds one, or any of several */
export function directly(
  actions: string[],
  resources: readonly string[],
  clusterIds: string | string[],
): PolicyStatement {
  const conditions = { StringEquals: { [`kms:EncryptionContext:${ENCRYPTION_CONTEXT_KEY}`]: clusterIds } };
  return new PolicyStatement({ actions, resources: [...resources], conditions });
}

/** As S3 uses a key for who reads or writes an object. @param region of the bucket */
export function throughS3(actions: string[], resources: readonly string[], region: string): PolicyStatement {
  const conditions = { StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` } };
  return new PolicyStatement({ actions, resources: [...resources], conditions });
}
