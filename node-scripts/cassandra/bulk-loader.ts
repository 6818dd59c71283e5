// Cassandra's bulk loader (org.apache.cassandra.tools.BulkLoader, known as sstableloader): streams the SSTables of a directory
// `<keyspace>/<table>` to the nodes that own their rows. Started here and not by its script, whose password would stand in the
// process list: java(1) reads the main class and its arguments from a file that the owner alone may read.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { LoaderUnavailable, LoadIncomplete } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { isThere, writeSynced } from '../durable-files.ts';
import { readConfigurationFile } from './configuration-file.ts';

type LoaderContext = Pick<ActionContext, 'document' | 'paths' | 'secrets' | 'directory' | 'signal' | 'log'>;

/** Where Cassandra's packages, and its own tools, have it. */
const INCLUDES = [
  '/usr/share/cassandra/cassandra.in.sh',
  '/usr/local/share/cassandra/cassandra.in.sh',
  '/opt/cassandra/cassandra.in.sh',
  '/opt/cassandra/bin/cassandra.in.sh',
];

/**
 * As bin/sstableloader does it, after cassandra.in.sh ($0, which looks at its own place). $1: the file of arguments, $2: a
 * directory for what it may write. It ends with whoever holds its standard input, however that one ends.
 */
const LAUNCH = `
. "$0" || exit 127
exec 3<&0
"\${JAVA:-java}" $JAVA_AGENT -cp "$CLASSPATH" $JVM_OPTS "-Xmx\${MAX_HEAP_SIZE:-512M}" -XX:-UsePerfData \\
  "-Dcassandra.storagedir=$2" -Dlogback.configurationFile=logback-tools.xml "@$1" </dev/null 3<&- &
loader=$!
trap 'kill -9 "$loader" 2>/dev/null' TERM INT
{ cat <&3; kill -9 "$loader"; } >/dev/null 2>&1 &
watch=$!
wait "$loader"
ended=$?
kill "$watch" 2>/dev/null
exit "$ended"
`;
/** Of what it says when it fails. */
const LINES = 8;

/** @throws LoaderUnavailable */
export async function mustHaveLoader(context: LoaderContext): Promise<void> {
  const include = await includeFile(context);
  const { failed, said } = await launch(context, include, ['--help']);
  if (failed) throw new LoaderUnavailable(`${include}: the bulk loader does not start: ${said}`);
}

/**
 * Returns once every node has taken what it owns. Its pace is that of cassandra.yaml (stream_throughput_outbound and its like).
 * @param directory `…/<keyspace>/<table>` @param names of its Data.db files
 * @throws LoadIncomplete
 */
export async function bulkLoad(context: LoaderContext, directory: string, names: string[]): Promise<void> {
  const { cql, configFile } = context.document.cassandra;
  const file = context.paths.fixed(configFile);
  const { cqlAddress } = await readConfigurationFile(file);
  const { username, password } = await context.secrets.read(cql.credentialsSecretArn);
  const { failed, said, stdout } = await launch(context, await includeFile(context), [
    ...['-d', cqlAddress, '-p', String(cql.port), '-u', username, '-pw', password],
    ...['-f', file, '--no-progress', directory],
  ]);
  if (failed) throw new LoadIncomplete(`${directory}: the bulk loader failed: ${said}`);
  const leftOut = unstreamed(stdout, directory, names);
  if (leftOut.length === 0) return;
  throw new LoadIncomplete(
    `${directory}: the bulk loader said that it succeeded: got ${leftOut.length} of ${names.length} SSTables not streamed to any node (${leftOut.slice(0, LINES).join(', ')}), expected none: ${said}`,
  );
}

/** An SSTable that it cannot open, or that no node owns, it passes over, and succeeds. */
function unstreamed(stdout: string, directory: string, names: string[]): string[] {
  const streamed = new Set(
    [...stdout.matchAll(/^Streaming relevant part of (.*) to \[[^\]]+\]\s*$/gm)].flatMap(([, paths = '']) =>
      paths.split(directory).map((name) => name.replace(/^\//, '').trimEnd()),
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
  { directory, signal, log }: LoaderContext,
  include: string,
  args: string[],
): Promise<{ failed: boolean; stdout: string; said: string }> {
  const argumentFile = join(directory, 'loader-arguments');
  const lines = ['org.apache.cassandra.tools.BulkLoader', ...args].map(quoted);
  await writeSynced(argumentFile, `${lines.join('\n')}\n`);
  try {
    const scratch = join(directory, 'loader');
    const result = await execa('/bin/sh', ['-c', LAUNCH, include, argumentFile, scratch], {
      reject: false,
      // Open for as long as this program lives.
      stdin: 'pipe',
      maxBuffer: 16 * 1024 ** 2,
      cancelSignal: signal,
    });
    const { failed, exitCode, stdout, stderr } = result;
    log.info({ exitCode, stdout, stderr }, 'the bulk loader ended');
    const words = stderr || stdout || result.originalMessage || '';
    return { failed, stdout, said: words.trim().split('\n').slice(0, LINES).join('\n') };
  } finally {
    await rm(argumentFile, { force: true });
  }
}

/** As java(1) reads files of arguments. */
function quoted(argument: string): string {
  const escapes: Record<string, string> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return `"${argument.replaceAll(/[\\"\n\r\t]/g, (each) => escapes[each] ?? each)}"`;
}
