// Endpoints for test files, with clients for whoever calls them.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { PolicyAuthorizer } from '../../../local/endpoint/authorize/policy-authorizer.ts';
import { Faults } from '../../../local/endpoint/faults.ts';
import { CredentialRegistry, OPERATOR } from '../../../local/endpoint/identities.ts';
import { startEndpoint } from '../../../local/endpoint/local-endpoint.ts';
import { EndpointServer, type SeenRequest, type ServerOptions } from '../../../local/endpoint/server.ts';
import { type Caller, type IssuedCredentials, LOCAL_REGION } from '../../../local/endpoint/service.ts';
import { sharedStorage } from '../../shared/shared.ts';

/** What any SDK client takes. */
interface Configuration {
  endpoint: string;
  region: string;
  credentials: IssuedCredentials;
  maxAttempts: number;
}

function configurations(endpoint: string, identities: CredentialRegistry) {
  return (caller: Caller = OPERATOR, credentials = identities.issue(caller)): Configuration => ({
    endpoint,
    region: LOCAL_REGION,
    credentials,
    maxAttempts: 1,
  });
}

/** The endpoint alone, with no service yet. */
export async function startTestServer(options: Partial<ServerOptions> = {}) {
  const identities = new CredentialRegistry();
  const authorizer = new PolicyAuthorizer();
  const faults = new Faults();
  const seen: SeenRequest[] = [];
  const server = new EndpointServer({
    identities,
    authorizer,
    faults,
    now: () => new Date(),
    loopbackIsSecure: true,
    onRequest: (request) => seen.push(request),
    onError: () => {},
    ...options,
  });
  const url = await server.listen('127.0.0.1');
  return {
    url,
    identities,
    authorizer,
    faults,
    seen,
    configuration: configurations(url, identities),
    register: server.register.bind(server),
    close: () => server.close(),
  };
}
export type TestServer = Awaited<ReturnType<typeof startTestServer>>;

/** The whole endpoint; the storage behind it is that of all test files. */
export async function startTestEndpoint() {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'ringvault-endpoint-'));
  const endpoint = await startEndpoint({
    stateDirectory,
    servers: await sharedStorage(),
    onError: (error) => console.error(error),
  });
  const configuration = configurations(endpoint.url, endpoint.identities);
  return {
    ...endpoint,
    stateDirectory,
    configuration,
    s3Client: (caller?: Caller) => new S3Client({ ...configuration(caller), forcePathStyle: true }),
    dynamoDbClient: (caller?: Caller) => new DynamoDBClient(configuration(caller)),
    /** What a program in another process takes: the aws CLI. */
    environment(caller?: Caller): Record<string, string> {
      const { credentials } = configuration(caller);
      return {
        AWS_ENDPOINT_URL: endpoint.url,
        AWS_DEFAULT_REGION: LOCAL_REGION,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_SESSION_TOKEN: credentials.sessionToken,
      };
    },
    async close() {
      await endpoint.close();
      await rm(stateDirectory, { recursive: true, force: true });
    },
  };
}
export type TestEndpoint = Awaited<ReturnType<typeof startTestEndpoint>>;

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
