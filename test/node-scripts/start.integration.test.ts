// start, where a process that uses the node's data serves nothing: what is stopped first, and what is left to come up.
import { existsSync } from 'node:fs';
import { chmod, readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCommand } from '../../node-scripts/cassandra/service.ts';
import { fakeNode, write } from './fake-node.ts';
import { type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const RUN = '20261121t020000z-0a1b2c3d';
const HOST_ID = '93654103-2d22-4cc2-99ef-2a36e09d4b93';

let host: HostUnderTest;
let cqlPort: Server;

/** `mode` is what nodetool says; `pid` of a process that has a file of the node's data open, as Cassandra has. */
const scriptOf = (root: string, name: string) =>
  ({
    nodetool: `case "$1" in
  info) echo 'ID                     : ${HOST_ID}'
    if [ "$(cat ${root}/mode)" = NORMAL ] && [ ! -e ${root}/no-clients ]; then echo 'Native Transport active: true'; fi ;;
  enablebinary) rm ${root}/no-clients ;;
  netstats) echo "Mode: $(cat ${root}/mode)"
    if [ "$(cat ${root}/mode)" = DRAINING ]; then echo DRAINED > ${root}/mode; fi ;;
  status) echo 'UN  127.0.0.1  1 KiB  16  100.0%  ${HOST_ID}  rack1' ;;
esac`,
    // As systemctl: nothing where it runs; a node that was coming up has come up.
    start: `if [ ! -e ${root}/pid ]; then
  if [ -e ${root}/keeps-options ]; then options="$(cat ${root}/keeps-options)"; else options=$JVM_EXTRA_OPTS; fi
  [ -p ${root}/never ] || mkfifo ${root}/never
  sh -c 'read never' cassandra $options 3>${root}/data1/open <>${root}/never >/dev/null 2>&1 &
  echo $! > ${root}/pid
  echo \${1:-NORMAL} > ${root}/mode
fi
if [ "$(cat ${root}/mode)" = STARTING ] && [ -z "$1" ]; then echo NORMAL > ${root}/mode; fi`,
    stop: `if [ -e ${root}/pid ]; then kill "$(cat ${root}/pid)"; rm ${root}/pid; fi`,
  })[name] ?? '';

const script = (name: string, ...args: string[]) => ['sh', '-c', scriptOf(host.root, name), name, ...args];
const pid = () => readFile(join(host.root, 'pid'), 'utf8');

async function call(name: string, ...args: string[]): Promise<void> {
  const [file = '', ...rest] = script(name, ...args);
  await execa(file, rest, { stdin: 'ignore' });
}

async function start(input: object = {}, command = script('start')): Promise<unknown> {
  const plain = host.document(RUN, 'start', { awaitsSchema: false, ...input });
  const { port } = cqlPort.address() as AddressInfo;
  const document = await host.request({
    ...plain,
    cassandra: {
      ...plain.cassandra,
      nodetool: script('nodetool'),
      start: command,
      stop: script('stop'),
      startTimeoutSeconds: 10,
      cql: { ...plain.cassandra.cql, port },
    },
  });
  await host.carryOut(document);
  return host.callback.answers.get(document.taskToken);
}

beforeEach(async () => {
  host = await hostUnderTest();
  await fakeNode(host, { rpc_address: '127.0.0.1' });
  await write(join(host.root, 'mode'), 'DOWN');
  // Whether CQL is served is what nodetool says of it.
  cqlPort = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => cqlPort.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  cqlPort.close();
  await call('stop');
  await host.remove();
});

describe('start', () => {
  it.each(['DRAINED', 'DRAINING'])(
    'stops a node that runs and is %s, and starts it',
    async (mode) => {
      await call('start', mode);
      const drained = await pid();
      expect(await start()).toMatchObject({ output: { hostId: HOST_ID } });
      expect(await pid()).not.toBe(drained);
    },
    30_000,
  );

  it('does not stop a node that is coming up', async () => {
    await call('start', 'STARTING');
    const comingUp = await pid();
    expect(await start()).toMatchObject({ output: { hostId: HOST_ID } });
    expect(await pid()).toBe(comingUp);
  }, 30_000);

  it('lets clients in again where they were stopped', async () => {
    await call('start');
    const running = await pid();
    await write(join(host.root, 'no-clients'), '');
    expect(await start()).toMatchObject({ output: { hostId: HOST_ID } });
    expect(await pid()).toBe(running);
  }, 30_000);

  describe('of a node that takes the place of a dead one', () => {
    const replaces = '10.0.0.3';
    const options = [
      ...['-Dcassandra.replace_address_first_boot=10.0.0.3', '-Dcassandra.allow_unsafe_replace=true'],
      '-Dcassandra.auto_bootstrap=false',
    ];
    const running = async () => (await readFile(`/proc/${Number(await pid())}/cmdline`, 'utf8')).split('\0');

    it('hands the options over that this start alone has', async () => {
      expect(await start({ replaces })).toMatchObject({ output: { hostId: HOST_ID } });
      expect(await running()).toEqual(expect.arrayContaining(options));
    }, 30_000);

    it('by systemd, which gives them to nobody else afterwards', async () => {
      // Only as far as it is asked: environment, and start.
      const systemctl = join(host.root, 'systemctl');
      await write(
        systemctl,
        `#!/bin/sh
echo "$1" >> ${host.root}/asked
case $1 in
  set-environment) echo "$2" > ${host.root}/environment ;;
  unset-environment) [ "$2" = JVM_EXTRA_OPTS ] && rm ${host.root}/environment ;;
  start) export "$(cat ${host.root}/environment)"; shift
    ${scriptOf(host.root, 'start')} ;;
esac
`,
      );
      await chmod(systemctl, 0o755);
      expect(await start({ replaces }, [systemctl, 'start'])).toMatchObject({ output: { hostId: HOST_ID } });
      expect(await running()).toEqual(expect.arrayContaining(options));
      expect(await readFile(join(host.root, 'asked'), 'utf8')).toBe(
        'set-environment\nstart\nunset-environment\n',
      );
    }, 30_000);

    it('stops a Cassandra that was started without them: it would join as one node more', async () => {
      await write(join(host.root, 'keeps-options'), '-Dof.its=own');
      expect(await start({ replaces })).toMatchObject({
        error: {
          errorName: 'CommandFailed',
          message: expect.stringMatching(/got it running without .*JVM_EXTRA_OPTS/),
        },
      });
      await expect(pid()).rejects.toThrow('ENOENT');
    }, 30_000);

    it('does so while the command still waits for it', async () => {
      await write(join(host.root, 'keeps-options'), '-Dof.its=own');
      const joined = join(host.root, 'joined');
      const waits = `${scriptOf(host.root, 'start')}; sleep 4; if [ -e ${host.root}/pid ]; then touch ${joined}; fi`;
      expect(await start({ replaces }, ['sh', '-c', waits, 'start'])).toMatchObject({
        error: { errorName: 'CommandFailed' },
      });
      await expect(pid()).rejects.toThrow('ENOENT');
      expect(existsSync(joined)).toBe(false);
    }, 30_000);

    it('leaves one alone that serves already', async () => {
      await call('start');
      const before = await pid();
      expect(await start({ replaces })).toMatchObject({ output: { hostId: HOST_ID } });
      expect(await pid()).toBe(before);
    }, 30_000);
  });

  it('starts a node that is down', async () => {
    expect(await start()).toMatchObject({ output: { hostId: HOST_ID } });
  }, 30_000);
});

describe('the start command', () => {
  it('is given a scope of its own where systemd would end what it forks with this program', () => {
    const command = ['/opt/cassandra/bin/cassandra', '-p', '/run/cassandra.pid'];
    expect(startCommand(command, true)).toEqual([
      ...['systemd-run', '--scope', '--collect', '--quiet', '--'],
      ...command,
    ]);
    expect(startCommand(command, false)).toEqual(command);
  });

  it.each(['systemctl', '/usr/bin/systemctl'])('is left as it is where it is %s', (systemctl) => {
    expect(startCommand([systemctl, 'start', 'cassandra'], true)).toEqual([systemctl, 'start', 'cassandra']);
  });
});
