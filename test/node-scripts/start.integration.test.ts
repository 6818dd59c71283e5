// start, where a process that uses the node's data serves nothing: what is stopped first, and what is left to come up.
import { readFile } from 'node:fs/promises';
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
  sleep 600 3>${root}/data1/open >/dev/null 2>&1 &
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

async function start(): Promise<unknown> {
  const plain = host.document(RUN, 'start', { awaitsSchema: false });
  const { port } = cqlPort.address() as AddressInfo;
  const document = await host.request({
    ...plain,
    cassandra: {
      ...plain.cassandra,
      nodetool: script('nodetool'),
      start: script('start'),
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
