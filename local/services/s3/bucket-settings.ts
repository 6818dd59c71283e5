// Settings of buckets that s3proxy lacks: recorded and answered as they were put. The policy alone is enforced, by the endpoint.
import { z } from 'zod';
import { JsonFile } from '../../endpoint/json-file.ts';
import { element, escapeXml } from '../../endpoint/protocols/xml.ts';
import { ServiceError } from '../../endpoint/service.ts';

/** What AWS would do and the local cloud does not: in the docs, and printed at start. */
export const RECORDED_NOT_ENFORCED = [
  'Encryption in transit: plain HTTP on loopback, where nobody can listen in, counts as aws:SecureTransport; s3:TlsVersion is absent',
  'S3 versioning: recorded; objects have one version',
  'S3 lifecycle rules: recorded; nothing expires, incomplete uploads stay',
  'S3 encryption: the bucket setting is recorded; of KMS keys in headers the rights are enforced, but not on UploadPart and CompleteMultipartUpload; data lie plain on the disk',
  'KMS key policies: those of the account alone, which leave everything to roles; keys are not rotated',
  'S3 public access block, ownership controls and bucket tags: recorded',
  'SNS subscriptions: confirmed at once; HTTP messages are not signed',
  'DynamoDB point-in-time recovery and tags: recorded',
] as const;

/** sub-resource → the body that was put: XML, or JSON for the policy. */
const bucketSettings = z.record(z.string(), z.record(z.string(), z.string()));

/** What AWS answers where a setting was never put; versioning answers an empty document instead. */
const absent: Record<string, string> = {
  lifecycle: 'NoSuchLifecycleConfiguration',
  encryption: 'ServerSideEncryptionConfigurationNotFoundError',
  publicAccessBlock: 'NoSuchPublicAccessBlockConfiguration',
  ownershipControls: 'OwnershipControlsNotFoundError',
  tagging: 'NoSuchTagSet',
  policy: 'NoSuchBucketPolicy',
};

export class BucketSettings {
  readonly #file: JsonFile<typeof bucketSettings>;

  constructor(path: string) {
    this.#file = new JsonFile(path, bucketSettings, {});
  }

  /** @throws ServiceError as AWS names what was never put */
  async get(bucket: string, name: string): Promise<string> {
    const value = (await this.#file.read())[bucket]?.[name];
    if (value !== undefined) return value;
    const code = absent[name];
    if (code === undefined) return xmlDocument('VersioningConfiguration', '');
    throw new ServiceError(code, `The bucket ${bucket} has no ${name} configuration.`, 404);
  }

  async put(bucket: string, name: string, value: string): Promise<void> {
    await this.#file.update((all) => ({ ...all, [bucket]: { ...all[bucket], [name]: value } }));
  }

  async remove(bucket: string, name: string): Promise<void> {
    await this.#file.update((all) => {
      const { [name]: _, ...rest } = all[bucket] ?? {};
      return { ...all, [bucket]: rest };
    });
  }

  async forget(bucket: string): Promise<void> {
    await this.#file.update((all) => {
      const { [bucket]: _, ...rest } = all;
      return rest;
    });
  }

  /** Bucket policies put before this start. */
  async policies(): Promise<Array<[bucket: string, document: string]>> {
    return Object.entries(await this.#file.read()).flatMap(([bucket, settings]) =>
      settings['policy'] === undefined ? [] : [[bucket, settings['policy']] as [string, string]],
    );
  }
}

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

export function xmlDocument(name: string, content: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="${NAMESPACE}">${content}</${name}>`;
}

export function errorXml(code: string, message: string): string {
  const told = element('Code', escapeXml(code)) + element('Message', escapeXml(message));
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('Error', told)}`;
}
