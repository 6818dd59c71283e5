// The vault: the bucket that holds objects, manifests and run records, and the working state of runs beside them.
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type LifecycleRule,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { WORKING_PREFIXES, WORKING_STATE_DAYS } from '../../contracts/layout.ts';

export class Vault extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, props: { prefix: string }) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Bucket', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: true,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: lifecycleRules(props.prefix),
    });
    this.bucket.addToResourcePolicy(this.createOnly(props.prefix));
  }

  /**
   * Nobody overwrites what a backup is made of: a put or the completion of an upload must say `If-None-Match`.
   * Source: the S3 guide, "Enforce conditional writes on Amazon S3 buckets".
   */
  private createOnly(prefix: string): PolicyStatement {
    return new PolicyStatement({
      sid: 'CreateOnly',
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ['s3:PutObject'],
      resources: ['objects', 'backups'].map((part) =>
        this.bucket.arnForObjects(`${prefix}clusters/*/${part}/*`),
      ),
      conditions: {
        Null: { 's3:if-none-match': 'true' },
        Bool: { 's3:ObjectCreationOperation': 'true' },
      },
    });
  }
}

/** Live objects are never expired by age: a new backup may need an old object. */
function lifecycleRules(prefix: string): LifecycleRule[] {
  return [
    { id: 'AbortIncompleteUploads', abortIncompleteMultipartUploadAfter: Duration.days(7) },
    ...WORKING_PREFIXES.map((working) => ({
      id: `Expire-${working.replace('/', '')}`,
      prefix: `${prefix}${working}`,
      expiration: Duration.days(WORKING_STATE_DAYS),
      noncurrentVersionExpiration: Duration.days(1),
    })),
  ];
}
