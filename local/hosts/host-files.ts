// What lies on a local host's disk before anything runs there: configuration, guard file, and executables that stand in for
// the system's own.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HOST_RESTORE_GUARD, HOST_STATE_DIRECTORY } from '../../contracts/layout.ts';
import type { HostedCassandra } from './host.ts';

/** @param restorable clusters that the host's owner allows restores of */
export async function writeHostFiles(
  root: string,
  cassandra: HostedCassandra | undefined,
  restorable: readonly string[],
): Promise<void> {
  for (const directory of [
    'bin',
    'root',
    'tmp',
    'etc/cassandra',
    'usr/share/cassandra',
    HOST_STATE_DIRECTORY,
    dirname(HOST_RESTORE_GUARD),
  ]) {
    await mkdir(join(root, directory), { recursive: true });
  }
  if (cassandra) {
    await symlink(cassandra.configFile, join(root, 'etc/cassandra/cassandra.yaml'));
    const include = 'cassandra.in.sh';
    await symlink(join(cassandra.binDirectory, include), join(root, 'usr/share/cassandra', include));
  }
  if (restorable.length > 0) {
    await writeFile(join(root, HOST_RESTORE_GUARD), restorable.map((id) => `${id}\n`).join(''), {
      mode: 0o644,
    });
  }
  const executables = {
    nodetool: nodetool(cassandra),
    systemctl: systemctl(cassandra),
    'systemd-run': SYSTEMD_RUN,
  };
  for (const [name, script] of Object.entries(executables)) {
    await writeFile(join(root, 'bin', name), script, { mode: 0o755 });
  }
}

function nodetool(cassandra: HostedCassandra | undefined): string {
  return cassandra ? `#!/usr/bin/env bash\nexec ${inBin(cassandra, 'nodetool')} "$@"\n` : NO_CASSANDRA;
}

function systemctl(cassandra: HostedCassandra | undefined): string {
  if (!cassandra) return NO_CASSANDRA;
  return `#!/usr/bin/env bash
# start and stop of the one unit that a local host has, and the environment that it starts with.
environment="\${0%/*}/../run/environment"
case "$*" in
  set-environment\\ *) mkdir -p "\${environment%/*}" && echo "$2" >>"$environment"; exit ;;
  unset-environment\\ *) [[ ! -e $environment ]] || sed -i "/^$2=/d" "$environment"; exit ;;
esac
if [[ -s $environment ]]; then while read -r each; do export "\${each?}"; done <"$environment"; fi
case "$*" in
  'start cassandra' | 'start cassandra.service') exec ${inBin(cassandra, 'cassandra-start')} ;;
  'stop cassandra' | 'stop cassandra.service') exec ${inBin(cassandra, 'cassandra-stop')} ;;
esac
echo "systemctl of a local host: got '$*', expected start or stop of cassandra" >&2
exit 1
`;
}

function inBin({ binDirectory }: HostedCassandra, name: string): string {
  return `'${join(binDirectory, name).replaceAll("'", "'\\''")}'`;
}

const NO_CASSANDRA = `#!/usr/bin/env bash
echo 'this local host runs no Cassandra' >&2
exit 1
`;

/** Where the machine itself runs systemd, a local host must not make units in it. */
const SYSTEMD_RUN = `#!/usr/bin/env bash
# Runs a command detached; its unit's properties mean nothing here.
while [[ \${1:-} == -* ]]; do
  case $1 in
    --) shift; break ;;
    -p | -u | -E | --property | --unit | --setenv) shift 2 ;;
    --setenv=*=*) export "\${1#--setenv=}"; shift ;;
    *) shift ;;
  esac
done
setsid "$@" </dev/null >/dev/null 2>&1 &
`;
