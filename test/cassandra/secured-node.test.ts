// The host program on a node that takes CQL over TLS alone, and JMX with a password alone.
import {
  appendFile,
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Cluster, startCluster } from '../../local/cassandra/cluster.ts';
import { findJava } from '../../local/cassandra/java.ts';
import { type HostUnderTest, hostUnderTest } from '../node-scripts/host-under-test.ts';

const RUN = '20261121t020000z-0a1b2c3d';
const CONFIG_FILE = '/etc/cassandra/cassandra.yaml';
const CA_FILE = '/etc/cassandra/ca.pem';
const OTHER_CA_FILE = '/etc/cassandra/other-ca.pem';
const JMX_FILE = '/etc/cassandra/jmx.password';

let directory: string;
let cluster: Cluster;
const hosts: HostUnderTest[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'secured-node-'));
  cluster = await startCluster({ directory, nodes: 1 });
  const [node] = cluster.nodes;
  await node.stop();
  await makeCertificate('node');
  await makeCertificate('other');
  const encryption = {
    ...{ enabled: true, optional: false, require_client_auth: false },
    ...{ keystore: join(directory, 'node.p12'), keystore_password: 'changeit', store_type: 'PKCS12' },
  };
  await appendFile(node.configFile, stringify({ client_encryption_options: encryption }));
  await writeFile(join(directory, 'jmx.password'), 'operator s3cret\n', { mode: 0o400 });
  await writeFile(join(directory, 'jmx.access'), 'operator readwrite\n');
  const start = join(node.binDirectory, 'cassandra-start');
  const jmx = [
    'authenticate=true',
    `password.file=${join(directory, 'jmx.password')}`,
    `access.file=${join(directory, 'jmx.access')}`,
  ].map((each) => `-Dcom.sun.management.jmxremote.${each}`);
  // As in the jvm17-server.options that Cassandra ships.
  const options = [...jmx, '--add-exports=java.management/com.sun.jmx.remote.security=ALL-UNNAMED'];
  const main = 'org.apache.cassandra.service.CassandraDaemon';
  await writeFile(start, (await readFile(start, 'utf8')).replace(main, `${options.join(' ')} ${main}`));
  await node.start();
});
afterAll(async () => {
  await cluster?.close();
  for (const host of hosts) await host.remove();
  await rm(directory, { recursive: true, force: true });
});

/** `<name>.p12` and `<name>.pem`, self-signed. */
async function makeCertificate(name: string): Promise<void> {
  const keytool = join(dirname(await findJava()), 'keytool');
  const store = ['-keystore', join(directory, `${name}.p12`), '-storepass', 'changeit', '-alias', 'it'];
  const about = ['-dname', `CN=${name}`, '-keyalg', 'RSA', '-storetype', 'PKCS12'];
  await execa(keytool, ['-genkeypair', ...store, ...about]);
  await execa(keytool, ['-exportcert', '-rfc', ...store, '-file', join(directory, `${name}.pem`)]);
}

async function hostWith(change: { tlsCaFile?: string; jmxPassword?: string }): Promise<HostUnderTest> {
  const [node] = cluster.nodes;
  const host = await hostUnderTest({
    cassandra: {
      configFile: CONFIG_FILE,
      nodetool: [join(node.binDirectory, 'nodetool')],
      jmxPasswordFile: JMX_FILE,
    },
    cql: { tlsCaFile: change.tlsCaFile ?? CA_FILE },
    credentials: cluster.backupRole,
  });
  hosts.push(host);
  await mkdir(dirname(host.paths.fixed(CONFIG_FILE)), { recursive: true });
  await symlink(node.configFile, host.paths.fixed(CONFIG_FILE));
  await copyFile(join(directory, 'node.pem'), host.paths.fixed(CA_FILE));
  await copyFile(join(directory, 'other.pem'), host.paths.fixed(OTHER_CA_FILE));
  await writeFile(host.paths.fixed(JMX_FILE), `operator ${change.jmxPassword ?? 's3cret'}\n`);
  await chmod(host.paths.fixed(JMX_FILE), 0o400);
  return host;
}

it('is described, by the CA and the password in their files', async () => {
  const host = await hostWith({});
  expect(await host.run(RUN, 'describe', {})).toMatchObject({ cassandra: 'up', notUpNormal: [] });
});

it('whose certificate is of another CA is not talked to', async () => {
  const host = await hostWith({ tlsCaFile: OTHER_CA_FILE });
  const described = await host.run(RUN, 'describe', {});
  expect(described).toMatchObject({ cassandra: 'down', downReason: expect.stringMatching(/certificate/) });
});

it('whose JMX password is another is told by name, and without the password', async () => {
  const host = await hostWith({ jmxPassword: 'wr0ng' });
  const failure = host.run(RUN, 'describe', {});
  await expect(failure).rejects.toMatchObject({ name: 'NodetoolFailed' });
  await expect(failure).rejects.not.toThrow(/wr0ng/);
});
