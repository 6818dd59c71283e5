// CQL to the host's own node and to no other: what is asked is about this node, and load balancing would ask another.
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { auth, Client, errors, policies, type types } from 'cassandra-driver';
import { CassandraUnavailable, CredentialsRejected } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { readConfigurationFile } from './configuration-file.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const READ_TIMEOUT_MS = 60_000;
/** The driver waits for its read time-out where a connection ends before the login: of a node that starts or stops, or wants TLS. */
const LOGIN_LIMIT_MS = 30_000;

export interface Cql {
  rows(query: string, parameters?: unknown[]): Promise<types.Row[]>;
}

/** @throws CassandraUnavailable CredentialsRejected */
export async function withCql<Value>(
  context: Pick<ActionContext, 'document' | 'paths' | 'secrets'>,
  use: (cql: Cql) => Promise<Value>,
): Promise<Value> {
  const { cql, configFile } = context.document.cassandra;
  const { cqlAddress } = await readConfigurationFile(context.paths.fixed(configFile));
  const { username, password } = await context.secrets.read(cql.credentialsSecretArn);
  const endpoint = `${cqlAddress.includes(':') ? `[${cqlAddress}]` : cqlAddress}:${cql.port}`;
  const client = new Client({
    contactPoints: [endpoint],
    authProvider: new auth.PlainTextAuthProvider(username, password),
    policies: {
      loadBalancing: new policies.loadBalancing.AllowListPolicy(
        new policies.loadBalancing.RoundRobinPolicy(),
        [endpoint],
      ),
    },
    pooling: { coreConnectionsPerHost: { 0: 1, 1: 1, 2: 1 } },
    // Agreement is checked once after many changes, not after each.
    protocolOptions: { port: cql.port, maxSchemaAgreementWaitSeconds: 0 },
    socketOptions: { connectTimeout: CONNECT_TIMEOUT_MS, readTimeout: READ_TIMEOUT_MS },
    ...(cql.tlsCaFile && {
      // Cassandra's certificates seldom name an IP address; the CA is the operator's own.
      sslOptions: {
        ca: await readFile(context.paths.fixed(cql.tlsCaFile)),
        // The driver's own default is to believe any certificate.
        rejectUnauthorized: true,
        checkServerIdentity: () => undefined,
      },
    }),
  });
  try {
    await login(client, endpoint);
    return await use({
      rows: async (query, parameters) => (await client.execute(query, parameters, { prepare: false })).rows,
    });
  } catch (error) {
    throw namedCqlError(error, endpoint, cql.credentialsSecretArn);
  } finally {
    await client.shutdown();
  }
}

async function login(client: Client, endpoint: string): Promise<void> {
  const connecting = client.connect();
  // It may fail once nobody waits for it any more.
  connecting.catch(() => undefined);
  const done = new AbortController();
  const late = setTimeout(LOGIN_LIMIT_MS, undefined, { signal: done.signal }).then(() => {
    throw new CassandraUnavailable(
      `CQL on ${endpoint}: it took the connection, and no login within ${LOGIN_LIMIT_MS / 1_000} s`,
    );
  });
  late.catch(() => undefined);
  await Promise.race([connecting, late]).finally(() => done.abort());
}

function namedCqlError(error: unknown, endpoint: string, secretArn: string): unknown {
  const inner =
    error instanceof errors.NoHostAvailableError
      ? (Object.values(error.innerErrors ?? {})[0] ?? error)
      : error;
  const said = inner instanceof Error ? inner.message : String(inner);
  if (inner instanceof errors.AuthenticationError) {
    // A node whose copy of system_auth has no quorum cannot tell who we are.
    if (/consistency level|unable to perform authentication/i.test(said)) {
      return new CassandraUnavailable(`CQL on ${endpoint}: no login, ${said}`, { cause: error });
    }
    return new CredentialsRejected(`CQL on ${endpoint}, secret ${secretArn}: ${said}`, { cause: error });
  }
  if (inner instanceof errors.ResponseError && /permission|unauthorized/i.test(said)) {
    return new CredentialsRejected(`CQL on ${endpoint}, secret ${secretArn}: ${said}`, { cause: error });
  }
  if (error instanceof errors.DriverError || error instanceof errors.NoHostAvailableError) {
    return new CassandraUnavailable(`CQL on ${endpoint}: ${said}`, { cause: error });
  }
  return error;
}
