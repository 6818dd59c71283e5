// Makes a fresh cluster's authentication fit for use: system_auth on every node, no default password, and a role for
// the backup with no more rights than it needs.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { auth, Client } from 'cassandra-driver';
import { LocalServerFailed } from '../servers/errors.ts';
import type { CassandraNode } from './node.ts';

export interface Credentials {
  username: string;
  password: string;
}

/** Cassandra's own default, good only until {@link secureCluster} has changed it. */
const DEFAULT_SUPERUSER: Credentials = { username: 'cassandra', password: 'cassandra' };
const BACKUP_ROLE = 'ringvault';
const LOGIN_LIMIT_MS = 120_000;

/**
 * What the backup role may do, and what for. DESCRIBE SCHEMA, system.local, system.peers_v2 and system_schema.* are open
 * to every role that can log in.
 */
const BACKUP_ROLE_GRANTS: readonly string[] = [
  // Data directories, commit log and snapshots as the node itself sees them: system_views.settings and the like.
  'SELECT ON KEYSPACE system_views',
  // Whether indexes and views are built: system."IndexInfo", system.built_views.
  'SELECT ON KEYSPACE system',
  // A restore re-creates keyspaces, types and tables that were dropped. Their creator gets all rights on them, which is
  // what their indexes and views need; on tables that live, the role may neither read, write nor drop.
  'CREATE ON ALL KEYSPACES',
];

export interface SecuredCluster {
  superuser: Credentials;
  backupRole: Credentials;
}

/** @param datacenters of each node @throws LocalServerFailed */
export async function secureCluster(
  nodes: readonly [CassandraNode, ...CassandraNode[]],
  datacenters: readonly string[],
  signal?: AbortSignal,
): Promise<SecuredCluster> {
  const superuser = { username: DEFAULT_SUPERUSER.username, password: newPassword() };
  const backupRole = { username: BACKUP_ROLE, password: newPassword() };
  const [datacenter = ''] = datacenters;
  const replicas = [...Map.groupBy(datacenters, (name) => name)].map(
    ([name, members]) => `'${name}': ${Math.min(members.length, 3)}`,
  );
  const execute = async (credentials: Credentials, statements: string[]) => {
    const client = await login(nodes[0].address, datacenter, credentials, signal);
    try {
      for (const statement of statements) await client.execute(statement);
    } finally {
      await client.shutdown();
    }
  };
  // While system_auth has one replica, that node being down would lock everybody out of all nodes.
  await execute(DEFAULT_SUPERUSER, [
    `ALTER KEYSPACE system_auth WITH replication = {'class': 'NetworkTopologyStrategy', ${replicas.join(', ')}}`,
  ]);
  if (nodes.length > 1) await nodes[0].nodetool('repair', '--full', 'system_auth');
  await execute(DEFAULT_SUPERUSER, [
    `CREATE ROLE ${BACKUP_ROLE} WITH LOGIN = true AND PASSWORD = '${backupRole.password}'`,
    ...BACKUP_ROLE_GRANTS.map((grant) => `GRANT ${grant} TO ${BACKUP_ROLE}`),
    `ALTER ROLE ${superuser.username} WITH PASSWORD = '${superuser.password}'`,
  ]);
  await Promise.all(
    nodes.map(async (node, index) =>
      (await login(node.address, datacenters[index] ?? '', superuser, signal)).shutdown(),
    ),
  );
  return { superuser, backupRole };
}

/** A node takes logins only some seconds after it is up, and a new password only when its caches have expired. */
async function login(
  address: string,
  datacenter: string,
  credentials: Credentials,
  signal: AbortSignal | undefined,
): Promise<Client> {
  const deadline = Date.now() + LOGIN_LIMIT_MS;
  for (;;) {
    signal?.throwIfAborted();
    const client = new Client({
      contactPoints: [address],
      localDataCenter: datacenter,
      authProvider: new auth.PlainTextAuthProvider(credentials.username, credentials.password),
    });
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.shutdown();
      if (Date.now() > deadline) {
        throw new LocalServerFailed(`${address}: ${credentials.username} cannot log in`, { cause: error });
      }
    }
    await sleep(300);
  }
}

function newPassword(): string {
  return randomBytes(18).toString('base64url');
}
