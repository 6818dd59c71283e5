// Medusa: `backup-node` in its differential mode, and `download`. Of a snapshot that is there already, as for the others; but it
// wants a running node to ask for schema and ring.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { startCluster } from '../../local/cassandra/cluster.ts';
import { filesOf } from '../data/files.ts';
import { awsEnvironment, program, versionOf } from './peer.ts';
import type { Subject } from './subject.ts';

/** What it puts beside the tables of a download. */
const ITS_OWN = ['manifest.json', 'schema.cql', 'tokenmap.json'];

function medusa(form: string, storage: Record<string, string>): Subject {
  return {
    name: form === 'default' ? 'Medusa' : 'Medusa, tuned',
    tool: 'Medusa',
    form:
      form === 'default'
        ? form
        : Object.entries(storage)
            .map((entry) => entry.join(' = '))
            .join(', '),
    version: () => versionOf('medusa', '--version'),
    async begin({ vault, bucket, directory }) {
      const data = join(directory, 'medusa-data');
      const configuration = join(directory, 'medusa.ini');
      const cluster = await startCluster({
        directory: join(directory, 'medusa-node'),
        nodes: 1,
        clusterName: 'bench',
        authentication: false,
      });
      const [{ address }] = cluster.nodes;
      const yaml = { data_file_directories: [data], listen_address: address };
      await writeFile(join(directory, 'cassandra.yaml'), stringify(yaml));
      const { protocol, hostname, port } = new URL(vault.url);
      const sections = {
        storage: {
          ...{ storage_provider: 's3_compatible', bucket_name: bucket, fqdn: 'bench', region: vault.region },
          // A certificate of one's own cannot be named: over TLS it checks none.
          ...{ host: hostname, port, secure: String(protocol === 'https:'), s3_addressing_style: 'path' },
          ...storage,
        },
        cassandra: { config_file: join(directory, 'cassandra.yaml'), resolve_ip_addresses: 'False' },
      };
      const lines = Object.entries(sections).flatMap(([name, settings]) => [
        `[${name}]`,
        ...Object.entries(settings).map((entry) => entry.join(' = ')),
      ]);
      await writeFile(configuration, `${lines.join('\n')}\n`);
      // What it takes for a backup under way lies in the directory for temporary files.
      const env = { ...awsEnvironment(vault), TMPDIR: directory };
      const command = (...args: string[]) => ({
        file: program('medusa'),
        args: ['--config-file', configuration, ...args],
        env,
      });
      let backups = 0;
      let restored: string | undefined;
      const name = () => `backup-${backups}`;
      return {
        async backup(_, tree) {
          backups += 1;
          await rm(data, { recursive: true, force: true });
          await linkAsSnapshot(tree, data, name());
          return command(
            ...['backup-node', '--mode', 'differential', '--backup-name', name()],
            ...['--use-existing-snapshot', '--keep-snapshot'],
          );
        },
        restore: async (target) => {
          restored = target;
          return command('download', '--backup-name', name(), '--download-destination', target);
        },
        async after() {
          if (restored) for (const file of ITS_OWN) await rm(join(restored, file));
          restored = undefined;
        },
        end: () => cluster.close(),
      };
    },
  };
}

/** `tree` has `<keyspace>/<table>/<file>`; a data directory has its snapshots below the table. */
async function linkAsSnapshot(tree: string, data: string, snapshot: string): Promise<void> {
  const tables = new Set(
    [...(await filesOf(tree)).keys()].map((path) => path.split('/').slice(0, 2).join('/')),
  );
  for (const table of tables) {
    const snapshots = join(data, table, 'snapshots');
    await mkdir(snapshots, { recursive: true });
    await execa('cp', ['-al', join(tree, table), join(snapshots, snapshot)]);
  }
}

export const medusaForms = [
  medusa('default', {}),
  medusa('tuned', { transfer_max_bandwidth: '100GB/s', concurrent_transfers: '16' }),
];
