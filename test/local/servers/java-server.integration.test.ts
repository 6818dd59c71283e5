// Servers that the local cloud starts listen on loopback alone and never outlive it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startJavaServer } from '../../../local/servers/java-server.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ringvault-servers-'));
});
afterAll(() => rm(directory, { recursive: true }));

const SERVER = new URL('../../../local/servers/dynamodb-local.ts', import.meta.url).href;

it('a server ends when the process that started it is killed', async () => {
  const program = `
    const { startDynamoDbLocal } = await import(${JSON.stringify(SERVER)});
    const server = await startDynamoDbLocal(${JSON.stringify(directory)});
    process.stdout.write(JSON.stringify(server));`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(parent.stdout, 'data');
  const { pid, url } = JSON.parse(String(line));
  expect(await listeningAddresses(Number(new URL(url).port))).toEqual(['127.0.0.1']);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  while (isRunning(pid)) await sleep(50);
});

it('a server that does not start is told with the end of its log', async () => {
  const failing = startJavaServer({
    name: 'no server',
    classPath: directory,
    mainClass: 'org.example.Missing',
    arguments: () => [],
    workingDirectory: directory,
    logFile: join(directory, 'missing.log'),
  });
  await expect(failing).rejects.toMatchObject({
    name: 'LocalServerFailed',
    message: expect.stringContaining('java.lang.ClassNotFoundException: org.example.Missing'),
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** From the kernel's tables: addresses are hex, in the machine's byte order. */
async function listeningAddresses(port: number): Promise<string[]> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8')));
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return tables
    .flatMap((table) => table.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => state === '0A' && local.endsWith(`:${wanted}`))
    .map(([, local = '']) => {
      const bytes = Buffer.from(local.split(':')[0] ?? '', 'hex').subarray(-4);
      return [...bytes.reverse()].join('.');
    });
}
