// A node's executables: cassandra-start, cassandra-stop and nodetool (and cassandra.in.sh, for tools), plain bash with absolute paths. The local host's
// `systemctl` calls them and so does node.ts: one way to start a node, one way to stop it.
import { join } from 'node:path';
import type { NodeOptions } from './configuration.ts';

/** SIGTERM drains, in about four seconds; after this a node counts as hung. */
const STOP_LIMIT_SECONDS = 60;

export interface JavaPaths {
  /** Absolute path of the `java` executable. */
  java: string;
  /** Directory of Cassandra's jars. */
  jars: string;
  /** More options of the JVM, by what it runs. */
  serverOptions?: readonly string[];
  nodetoolOptions?: readonly string[];
}

/** File name below `bin/` → content; all are to be executable. */
export function launchScripts(options: NodeOptions, paths: JavaPaths): Record<string, string> {
  return {
    'cassandra-start': startScript(options, paths),
    'cassandra-stop': stopScript(options),
    nodetool: nodetoolScript(options, paths),
    'cassandra.in.sh': includeScript(options, paths),
  };
}

/** What makes a process this node's: a pid alone may have been given to another one since. */
function storageFlag(options: NodeOptions): string {
  return `-Dcassandra.storagedir=${options.directory}`;
}

export function pidFileOf(node: { directory: string }): string {
  return join(node.directory, 'cassandra.pid');
}

/** Once it is there, the node starts no more: its cluster was closed while somebody may still want to start it. */
export function endedFileOf(node: { directory: string }): string {
  return join(node.directory, 'ended');
}

function preamble(options: NodeOptions): string {
  return `#!/usr/bin/env bash
set -euo pipefail
pid_file=${quote(pidFileOf(options))}
running() {
  [[ -s $pid_file ]] && pid=$(<"$pid_file") && grep -Fzxqs -- ${quote(storageFlag(options))} "/proc/$pid/cmdline"
}
`;
}

function startScript(options: NodeOptions, paths: JavaPaths): string {
  const command = [paths.java, ...cassandraArguments(options, paths)].map(quote);
  const daemon = command.pop();
  return `${preamble(options)}
# Starts the node detached and returns when its process is there; nothing happens where it runs already.
exec 9>"$pid_file.lock"
flock 9
if running; then exit 0; fi
if [[ -e ${quote(endedFileOf(options))} ]]; then
  echo ${quote(`the cluster of ${options.address} has been closed`)} >&2
  exit 1
fi
rm -f "$pid_file"
# Without the caller's environment: a node must not know the credentials of who starts it.
setsid env -i PATH="$PATH" HOME=${quote(options.directory)} LANG=C.UTF-8 MALLOC_ARENA_MAX=2 \\
  bash -c 'echo $$ >"$0.new" && mv "$0.new" "$0" && exec "$@"' "$pid_file" \\
  ${command.join(' \\\n  ')} \\
  \${JVM_EXTRA_OPTS:-} ${daemon} \\
  </dev/null >>${quote(join(options.directory, 'logs', 'console.log'))} 2>&1 9>&- &
launched=$!
for _ in {1..200}; do
  if running; then exit 0; fi
  if ! kill -0 "$launched" 2>/dev/null; then break; fi
  sleep 0.05
done
echo ${quote(`Cassandra of ${options.address} did not start; see ${join(options.directory, 'logs')}`)} >&2
exit 1
`;
}

function stopScript(options: NodeOptions): string {
  return `${preamble(options)}
# Stops the node and returns when its process is gone. --now: by SIGKILL, as a crash would.
# A dying process has lost its command line long before its sockets: gone is when not even a thread is left.
gone() {
  local stat threads=("/proc/$pid/task/"*)
  { stat=$(<"/proc/$pid/stat"); } 2>/dev/null || return 0
  [[ \${stat##*) } == [ZX]* && \${#threads[@]} == 1 ]]
}
gone_within() {
  for ((tenths = $1 * 10; tenths > 0; tenths--)); do
    if gone; then return 0; fi
    sleep 0.1
  done
  return 1
}
kill_now() {
  if ! running; then return 0; fi
  kill -KILL "$pid" 2>/dev/null || true
  gone_within 10
}
# Once before the lock, because a stop that waits holds it, and once with it, for a node that was just being started.
if [[ \${1:-} == --now ]]; then kill_now; fi
exec 9>"$pid_file.lock"
flock 9
if [[ \${1:-} != --now ]] && running; then
  kill -TERM "$pid" 2>/dev/null || true
  gone_within ${STOP_LIMIT_SECONDS} || true
fi
kill_now
`;
}

function nodetoolScript(options: NodeOptions, paths: JavaPaths): string {
  const command = [
    paths.java,
    '-Xmx96m',
    '-XX:TieredStopAtLevel=1',
    '-XX:+UseSerialGC',
    '-XX:-UsePerfData',
    // Standard output is nodetool's alone: not for what the JVM thinks of its class archive.
    '-Xlog:disable',
    ...(paths.nodetoolOptions ?? []),
    '--add-exports=java.base/sun.nio.ch=ALL-UNNAMED',
    '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
    // nodetool keeps a history of its calls in the user's home.
    `-Duser.home=${options.directory}`,
    `-Dlogback.configurationFile=${join(options.directory, 'conf', 'logback-tools.xml')}`,
    '-cp',
    `${paths.jars}/*`,
    'org.apache.cassandra.tools.NodeTool',
    '-p',
    String(options.jmxPort),
  ];
  return `#!/usr/bin/env bash
exec ${command.map(quote).join(' \\\n  ')} "$@"
`;
}

const JVM_OF_TOOLS = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xlog:disable'];

/** What Cassandra's own tools read to know their Java and their class path. */
function includeScript(options: NodeOptions, paths: JavaPaths): string {
  return `# Of ${options.address}: sourced by tools.
JAVA=${quote(paths.java)}
CLASSPATH=${quote(classPath(options, paths))}
JVM_OPTS=${quote([...JVM_OF_TOOLS, ...(paths.serverOptions ?? []), ...openings(options, paths)].join(' '))}
MAX_HEAP_SIZE=128M
`;
}

function classPath(options: NodeOptions, paths: JavaPaths): string {
  return `${paths.jars}/*:${join(options.directory, 'conf')}`;
}

/** Without these Cassandra's classes die at once. */
function openings({ version }: NodeOptions, paths: JavaPaths): string[] {
  const opened = version.startsWith('4.') ? [...OPENED, ...OPENED_FOR_4] : OPENED;
  return [
    '-Djdk.attach.allowAttachSelf=true',
    ...EXPORTED.map((name) => `--add-exports=${name}=ALL-UNNAMED`),
    ...opened.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
    // 4.1 measures its memtables with an agent; without it, it stumbles over Java 17's hidden classes.
    ...(version.startsWith('4.') ? [`-javaagent:${join(paths.jars, 'jamm-0.3.2.jar')}`] : []),
  ];
}

function cassandraArguments(options: NodeOptions, paths: JavaPaths): string[] {
  return [
    '-Xmx256m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:-UsePerfData',
    // Else a node that ran out of heap stays alive and never opens its CQL port.
    '-XX:+ExitOnOutOfMemoryError',
    ...(paths.serverOptions ?? []),
    ...openings(options, paths),
    '-cp',
    classPath(options, paths),
    storageFlag(options),
    `-Dcassandra.logdir=${join(options.directory, 'logs')}`,
    // Else Cassandra closes its standard output.
    '-Dcassandra-foreground=yes',
    `-Dcassandra.jmx.local.port=${options.jmxPort}`,
    // A ring of this size on one machine needs no waiting.
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-Dcassandra.ring_delay_ms=1000',
    '-Dcassandra.shutdown_announce_in_ms=100',
    '-Dcassandra.broadcast_interval_ms=2000',
    '-Dcassandra.superuser_setup_delay_ms=1000',
    // Each start measures what a row of a memtable costs, on 100,000 rows by default: half of all its work.
    '-Dcassandra.memtable_row_overhead_computation_step=1000',
    'org.apache.cassandra.service.CassandraDaemon',
  ];
}

/** Any text as one word of bash. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

const EXPORTED = [
  'java.base/jdk.internal.misc',
  'java.base/java.lang.ref',
  'java.management.rmi/com.sun.jmx.remote.internal.rmi',
  'java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server',
  'java.sql/java.sql',
  'jdk.unsupported/sun.misc',
  'jdk.attach/sun.tools.attach',
];
const javaBase = (packages: string) => packages.split(' ').map((name) => `java.base/${name}`);
const OPENED = [
  ...javaBase('java.lang.module jdk.internal.loader jdk.internal.ref jdk.internal.reflect jdk.internal.math'),
  ...javaBase('jdk.internal.module jdk.internal.util.jar sun.nio.ch java.io java.lang.reflect java.lang'),
  ...javaBase('java.util java.nio'),
  'jdk.management/com.sun.management.internal',
];
/** Cassandra 4.1 on Java 17. */
const OPENED_FOR_4 = [
  ...javaBase(
    'java.util.concurrent java.util.concurrent.atomic java.util.concurrent.locks java.util.function',
  ),
  ...javaBase('java.util.regex java.util.stream java.net java.nio.channels java.nio.charset java.nio.file'),
  ...javaBase('sun.nio.cs java.math java.time java.text java.security'),
];
