// Cassandra's bulk loader (org.apache.cassandra.tools.BulkLoader, known as sstableloader): streams the SSTables of a directory
// `<keyspace>/<table>` to the nodes that own their rows. Started here and not by its script, whose password would stand in the
// process list: java(1) reads the main class and its arguments from a pipe.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { LoaderUnavailable, LoadIncomplete } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { isThere } from '../durable-files.ts';
import { type ConfigurationFile, readConfigurationFile } from './configuration-file.ts';
import { rememberedIdentity } from './identity.ts';

type LoaderContext = Pick<ActionContext, 'document' | 'paths' | 'secrets' | 'directory' | 'signal' | 'log'>;

/** Where Cassandra's packages, and its own tools, have it. */
const INCLUDES = [
  '/usr/share/cassandra/cassandra.in.sh',
  '/usr/local/share/cassandra/cassandra.in.sh',
  '/opt/cassandra/cassandra.in.sh',
  '/opt/cassandra/bin/cassandra.in.sh',
];

/**
 * As bin/sstableloader does it, after cassandra.in.sh ($0, which looks at its own place). $1: cassandra.yaml, $2: a directory for
 * what it may write; file descriptor 3: the main class and its arguments. It ends with whoever holds its standard input, however
 * that one ends.
 */
const LAUNCH = `
. "$0" || exit 127
# What it writes when it dies would have its arguments in it.
ulimit -c 0
exec 4<&0
cat <&3 | "\${JAVA:-java}" $JAVA_AGENT -cp "$CLASSPATH" $JVM_OPTS "-Xmx\${MAX_HEAP_SIZE:-512M}" -XX:-UsePerfData \\
  -XX:+SuppressFatalErrorMessage -XX:-HeapDumpOnOutOfMemoryError \\
  "-Dcassandra.config=file://$1" "-Dcassandra.storagedir=$2" -Dlogback.configurationFile=logback-tools.xml \\
  @/dev/stdin 3<&- 4<&- &
loader=$!
exec 3<&-
trap 'kill -9 "$loader" 2>/dev/null' TERM INT
{ cat <&4; kill -9 "$loader"; } >/dev/null 2>&1 &
watch=$!
wait "$loader"
ended=$?
kill "$watch" 2>/dev/null
exit "$ended"
`;
/** Of what it says when it fails. */
const LINES = 8;

/** Logs in and asks for the ring, of a table that every cluster has, and streams nothing. @throws LoaderUnavailable */
export async function mustHaveLoader(context: LoaderContext): Promise<void> {
  const nothing = join(context.directory, 'nothing', 'system_auth', 'roles');
  await mkdir(nothing, { recursive: true });
  const { failed, said } = await launch(context, nothing);
  if (failed) throw new LoaderUnavailable(`the bulk loader does not come as far as to the ring: ${said}`);
}

/**
 * Returns once every node has taken what it owns, at the pace that cassandra.yaml has for streams.
 * @param directory `…/<keyspace>/<table>` @param names of its Data.db files
 * @throws LoadIncomplete
 */
export async function bulkLoad(context: LoaderContext, directory: string, names: string[]): Promise<void> {
  const { failed, said, stdout } = await launch(context, directory);
  if (failed) throw new LoadIncomplete(`${directory}: the bulk loader failed: ${said}`);
  const leftOut = unstreamed(stdout, names);
  if (leftOut.length === 0) return;
  throw new LoadIncomplete(
    `${directory}: the bulk loader said that it succeeded: got ${leftOut.length} of ${names.length} SSTables not streamed to any node (${leftOut.slice(0, LINES).join(', ')}), expected none: ${said}`,
  );
}

/** An SSTable that it cannot open, or that no node owns, it passes over, and succeeds. */
function unstreamed(stdout: string, names: string[]): string[] {
  // Their paths are as the loader resolves them; IPv6 addresses have brackets of their own.
  const lines = stdout.matchAll(/^Streaming relevant part of (.*) to \[(.+)\]\s*$/gm);
  const streamed = new Set(
    [...lines].flatMap(([, paths = '']) =>
      [...paths.matchAll(/\/([^/ ]+-Data\.db)(?= |$)/g)].map(([, name]) => name),
    ),
  );
  return names.filter((name) => !streamed.has(name));
}

async function includeFile({ document, paths }: LoaderContext): Promise<string> {
  const { includeFile: named } = document.cassandra;
  const candidates = (named ? [named] : INCLUDES).map((path) => paths.fixed(path));
  for (const path of candidates) if (await isThere(path)) return path;
  throw new LoaderUnavailable(`cassandra.includeFile: got none of ${candidates.join(', ')} on this host`);
}

async function launch(
  context: LoaderContext,
  directory: string,
): Promise<{ failed: boolean; stdout: string; said: string }> {
  const { cql, configFile } = context.document.cassandra;
  const include = await includeFile(context);
  const file = context.paths.fixed(configFile);
  const configuration = await readConfigurationFile(file);
  const { username, password } = await context.secrets.read(cql.credentialsSecretArn);
  const args = [
    ...['org.apache.cassandra.tools.BulkLoader', '-d', configuration.cqlAddress, '-p', String(cql.port)],
    ...['-u', username, '-pw', password, '-f', file, '--no-progress'],
    ...(await paceOptions(context, configuration)),
    directory,
  ];
  const scratch = join(context.directory, 'loader');
  const result = await execa('/bin/sh', ['-c', LAUNCH, include, file, scratch], {
    reject: false,
    // The first stays open for as long as this program lives.
    stdio: ['pipe', 'pipe', 'pipe', new TextEncoder().encode(`${args.map(quoted).join('\n')}\n`)],
    maxBuffer: 16 * 1024 ** 2,
    cancelSignal: context.signal,
    // Else Java takes what is not ASCII in the arguments for something else.
    env: { LC_ALL: 'C.UTF-8' },
  });
  const { failed, exitCode, stdout, stderr, originalMessage } = result;
  context.signal.throwIfAborted();
  context.log.info({ exitCode, stdout, stderr }, 'the bulk loader ended');
  const words = stderr || stdout || originalMessage || '';
  return { failed, stdout, said: words.trim().split('\n').slice(0, LINES).join('\n') };
}

/** Of the four rates that a node streams at, the loader takes one from cassandra.yaml, and has none for the others. */
async function paceOptions(
  { paths }: LoaderContext,
  { streamRates }: Pick<ConfigurationFile, 'streamRates'>,
): Promise<string[]> {
  // 4.0 knows the one alone.
  if (/^[0-3]\.|^4\.0/.test((await rememberedIdentity(paths))?.cassandraVersion ?? '')) return [];
  return [
    ...['--inter-dc-throttle-mib', String(streamRates.interDatacenter)],
    ...['--entire-sstable-throttle-mib', String(streamRates.wholeSSTables)],
    ...['--entire-sstable-inter-dc-throttle-mib', String(streamRates.wholeSSTablesInterDatacenter)],
  ];
}

/** As java(1) reads files of arguments. */
function quoted(argument: string): string {
  const escapes: Record<string, string> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return `"${argument.replaceAll(/[\\"\n\r\t]/g, (each) => escapes[each] ?? each)}"`;
}
