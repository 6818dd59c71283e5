// The local AWS endpoint with its storage services. local/main.ts starts it; the workflow interpreter, Run Command, Lambda and
// the rest register themselves on it.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type StorageServers, startStorageServers } from '../servers/storage-servers.ts';
import { DynamoDbService } from '../services/dynamodb/dynamodb-service.ts';
import { TableSettings } from '../services/dynamodb/table-settings.ts';
import { Keys } from '../services/kms/keys.ts';
import { kmsService } from '../services/kms/kms.ts';
import { BucketSettings } from '../services/s3/bucket-settings.ts';
import { S3Service } from '../services/s3/s3-service.ts';
import { Store } from '../services/s3/store.ts';
import { Secrets } from '../services/secrets-manager/secrets.ts';
import { secretsManagerService } from '../services/secrets-manager/secrets-manager.ts';
import { Deliveries } from '../services/sns/deliveries.ts';
import { snsService } from '../services/sns/sns.ts';
import { Topics } from '../services/sns/topics.ts';
import { stsService } from '../services/sts.ts';
import { PolicyAuthorizer } from './authorize/policy-authorizer.ts';
import { Faults } from './faults.ts';
import { CredentialRegistry } from './identities.ts';
import { EndpointServer, type SeenRequest } from './server.ts';
import type { LocalService } from './service.ts';

export interface LocalEndpointOptions {
  /** Everything that is kept lies below it. */
  stateDirectory: string;
  /** A loopback address; 127.0.0.1 where it is not given. */
  host?: string;
  /** False: plain HTTP on loopback does not count as `aws:SecureTransport`. For the test of the policies that deny it. */
  loopbackIsSecure?: boolean;
  /** Signatures are checked against it; the scheduler's clock, which can be moved, is another. */
  now?(): Date;
  /** Stopped with the endpoint; started for it where they are not given. */
  servers?: StorageServers;
  /** A defect in the local cloud, told to its caller as InternalFailure. */
  onError?(error: unknown, seen: SeenRequest): void;
}

export interface LocalEndpoint {
  url: string;
  identities: CredentialRegistry;
  authorizer: PolicyAuthorizer;
  faults: Faults;
  secrets: Secrets;
  keys: Keys;
  /** What became of what was published; a mail is a file below `<stateDirectory>/mail`. */
  deliveries: Deliveries;
  /** The store behind S3, with its own key pair: for tests that damage objects behind the policies' back. */
  storage: { url: string; credentials: { accessKeyId: string; secretAccessKey: string } };
  register(service: LocalService): void;
  /** Told of every call when its answer is out; answers how to stop listening. */
  onRequest(listener: (seen: SeenRequest) => void): () => void;
  close(): Promise<void>;
}

/** @throws LocalToolFailed LocalServerFailed */
export async function startEndpoint(options: LocalEndpointOptions): Promise<LocalEndpoint> {
  const { stateDirectory } = options;
  await mkdir(stateDirectory, { recursive: true });
  const identities = new CredentialRegistry();
  const authorizer = new PolicyAuthorizer();
  const faults = new Faults();
  const listeners = new Set<(seen: SeenRequest) => void>();
  const now = options.now ?? (() => new Date());
  const secrets = new Secrets(join(stateDirectory, 'secrets.json'), now);
  const keys = new Keys();
  const deliveries = new Deliveries(join(stateDirectory, 'mail'));
  const server = new EndpointServer({
    identities,
    authorizer,
    faults,
    now,
    loopbackIsSecure: options.loopbackIsSecure ?? true,
    onRequest: (seen) => {
      for (const listener of listeners) listener(seen);
    },
    onError: options.onError ?? (() => {}),
  });
  const { s3proxy, dynamoDb, stop } = options.servers ?? (await startStorageServers(stateDirectory));
  const store = new Store(s3proxy.url, s3proxy.credentials);
  const s3 = new S3Service(store, new BucketSettings(join(stateDirectory, 'buckets.json')), authorizer, keys);
  await s3.loadPolicies();
  server.register(s3);
  server.register(new DynamoDbService(dynamoDb.url, new TableSettings(join(stateDirectory, 'tables.json'))));
  server.register(stsService({ identities, authorizer, now }));
  server.register(secretsManagerService(secrets));
  server.register(kmsService(keys));
  server.register(snsService(new Topics(join(stateDirectory, 'topics.json')), deliveries, now));
  return {
    url: await server.listen(options.host ?? '127.0.0.1'),
    identities,
    authorizer,
    faults,
    secrets,
    keys,
    deliveries,
    storage: { url: s3proxy.url, credentials: s3proxy.credentials },
    register: (service) => server.register(service),
    onRequest(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await server.close();
      await deliveries.settled();
      store.close();
      await stop();
    },
  };
}
