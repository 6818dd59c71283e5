// Which directories the node's data are in: the node itself knows best, then cassandra.yaml, then what is remembered.
import { InvalidConfiguration } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { type ConfigurationFile, readConfigurationFile } from './configuration-file.ts';
import type { Cql } from './cql.ts';
import { type NodeIdentity, rememberedIdentity } from './identity.ts';

export type NodeDirectories = NodeIdentity['directories'];

/** Of a node that is up, from system_views.settings. */
export async function directoriesOfLiveNode(cql: Cql): Promise<NodeDirectories> {
  const rows = await cql.rows('SELECT name, value FROM system_views.settings');
  const settings = new Map(rows.map((row) => [String(row['name']), row['value'] as string | null]));
  const single = (name: string) => {
    const value = settings.get(name);
    if (!value) throw new InvalidConfiguration(`system_views.settings names no ${name}`);
    return value;
  };
  const system = settings.get('local_system_data_file_directory');
  const data = listOf(single('data_file_directories'));
  return {
    data: system && !data.includes(system) ? [...data, system] : data,
    commitLog: single('commitlog_directory'),
    hints: single('hints_directory'),
    savedCaches: single('saved_caches_directory'),
  };
}

/** `[/a, /b]` → its parts. */
function listOf(value: string): string[] {
  return value.replace(/^\[|\]$/g, '').split(/,\s*/);
}

/** Whether the node is up or down. @throws InvalidConfiguration where nothing says it */
export async function nodeDirectories(
  context: Pick<ActionContext, 'document' | 'paths'>,
): Promise<NodeDirectories & { forTables: string[] }> {
  const path = context.paths.fixed(context.document.cassandra.configFile);
  const file = await readConfigurationFile(path);
  const remembered = (await rememberedIdentity(context.paths))?.directories;
  const choose = <Value>(named: Value | undefined, kept: Value | undefined, name: string): Value => {
    const value = named ?? kept;
    if (value === undefined) {
      throw new InvalidConfiguration(
        `${path} names no ${name}, and this host does not remember it: name it there`,
      );
    }
    return value;
  };
  const data = choose(dataDirectoriesIn(file), remembered?.data, 'data_file_directories');
  return {
    data,
    // Cassandra looks for tables of users in no other.
    forTables: data.filter((each) => each !== file.localSystemDirectory),
    commitLog: choose(file.commitLogDirectory, remembered?.commitLog, 'commitlog_directory'),
    hints: choose(file.hintsDirectory, remembered?.hints, 'hints_directory'),
    savedCaches: choose(file.savedCachesDirectory, remembered?.savedCaches, 'saved_caches_directory'),
  };
}

function dataDirectoriesIn(file: ConfigurationFile): string[] | undefined {
  const data = file.dataDirectories;
  const system = file.localSystemDirectory;
  return data && (system && !data.includes(system) ? [...data, system] : data);
}
