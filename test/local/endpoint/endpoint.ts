// An endpoint for one test file, with clients for whoever calls it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { OPERATOR } from '../../../local/endpoint/identities.ts';
import {
  type LocalEndpoint,
  type LocalEndpointOptions,
  startEndpoint,
} from '../../../local/endpoint/local-endpoint.ts';
import type { Caller } from '../../../local/endpoint/service.ts';

export interface TestEndpoint extends LocalEndpoint {
  stateDirectory: string;
  /** What any SDK client takes. */
  configuration(caller?: Caller): {
    endpoint: string;
    region: string;
    credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
    maxAttempts: number;
  };
  s3Client(caller?: Caller): S3Client;
  dynamoDbClient(caller?: Caller): DynamoDBClient;
  /** What a program in another process takes: the aws CLI. */
  environment(caller?: Caller): Record<string, string>;
}

export async function startTestEndpoint(options: Partial<LocalEndpointOptions> = {}): Promise<TestEndpoint> {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'ringvault-endpoint-'));
  const endpoint = await startEndpoint({
    stateDirectory,
    onError: (error) => console.error(error),
    ...options,
  });
  const issue = (caller: Caller = OPERATOR) => {
    const { sessionToken, ...keys } = endpoint.identities.issue(caller);
    return sessionToken === '' ? keys : { ...keys, sessionToken };
  };
  const configuration = (caller?: Caller) => ({
    endpoint: endpoint.url,
    region: 'eu-west-1',
    credentials: issue(caller),
    maxAttempts: 1,
  });
  return {
    ...endpoint,
    stateDirectory,
    configuration,
    s3Client: (caller) => new S3Client({ ...configuration(caller), forcePathStyle: true }),
    dynamoDbClient: (caller) => new DynamoDBClient(configuration(caller)),
    environment(caller) {
      const credentials = issue(caller);
      return {
        AWS_ENDPOINT_URL: endpoint.url,
        AWS_REGION: 'eu-west-1',
        AWS_DEFAULT_REGION: 'eu-west-1',
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        ...('sessionToken' in credentials ? { AWS_SESSION_TOKEN: credentials.sessionToken } : {}),
      };
    },
    async close() {
      await endpoint.close();
      await rm(stateDirectory, { recursive: true, force: true });
    },
  };
}

/** The outcome of a call that must be refused: the error as the SDK names it. */
export async function refusalOf(
  call: Promise<unknown>,
): Promise<{ name: string; message: string; status?: number }> {
  try {
    await call;
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    return {
      name,
      message,
      ...($metadata?.httpStatusCode === undefined ? {} : { status: $metadata.httpStatusCode }),
    };
  }
  throw new Error('the call was not refused');
}
