// The host program's peak memory when it uploads much, into a server that discards what it is sent.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { S3Client } from '@aws-sdk/client-s3';
import { actions } from '../../contracts/actions.ts';
import { measure } from '../measure/measure.ts';
import { cached, source } from '../paths.ts';
import { thisMachine } from '../results/machine.ts';
import { table } from '../results/table.ts';
import { startTaskServer, type TaskServer } from '../servers/task-server.ts';
import { type HostArena, makeHost, newRunId, requestAction } from '../subjects/host.ts';
import { unpackHostBundle } from '../subjects/host-bundle.ts';
import { uploadInput } from '../subjects/host-program.ts';
import { GENERATED_TAG, type Generated, generateBlocks, generateSmallFiles } from './generated.ts';

const LIMIT_MIB = 250;
/** Results of this size or more are worth keeping. */
const [FULL_FILES, FULL_GIB] = [200_000, 20];

export async function measureMemory(options: {
  files: number;
  gib: number;
  say(line: string): void;
}): Promise<void> {
  const { say } = options;
  const root = cached('memory');
  const bundle = await unpackHostBundle();
  const tasks = await startTaskServer();
  const cases = [
    [`${options.files} small files`, () => generateSmallFiles(root, options.files)],
    [`${options.gib} GiB of distinct blocks`, () => generateBlocks(root, options.gib)],
  ] as const;
  const rows: string[][] = [];
  try {
    for (const [name, generate] of cases) {
      say(`${name}: being made`);
      const used = await measureUpload(bundle, tasks, root, await generate());
      const verdict = used.peakRssMiB <= LIMIT_MIB ? 'within' : 'OVER';
      const cpu = used.userSeconds + used.systemSeconds;
      rows.push([
        name,
        used.peakRssMiB.toFixed(0),
        `${verdict} ${LIMIT_MIB}`,
        used.wallSeconds.toFixed(1),
        cpu.toFixed(1),
      ]);
      say(
        `${name}: peak RSS ${used.peakRssMiB.toFixed(0)} MiB, ${verdict} ${LIMIT_MIB} MiB; ${used.wallSeconds.toFixed(1)} s, CPU ${cpu.toFixed(1)} s`,
      );
    }
  } finally {
    await tasks.stop();
    await rm(root, { recursive: true, force: true });
  }
  const isFull = options.files >= FULL_FILES && options.gib >= FULL_GIB;
  const path = isFull ? source('RESULTS-memory.md') : cached('RESULTS-memory.md');
  await writeFile(path, await page(rows));
  say(`results are in ${path}`);
}

async function page(rows: string[][]): Promise<string> {
  const { processor, cores, memoryGiB, system } = await thisMachine();
  return [
    '# Peak memory of the upload',
    `Written by \`npm run bench memory\` on ${new Date().toISOString().slice(0, 10)}: one upload of each, by the program that hosts get, Node ${process.version}, into a server that discards what it is sent.`,
    table(['data', 'peak RSS, MiB', 'limit', 'wall, s', 'CPU, s'], rows),
    `Machine: ${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}.\n`,
  ].join('\n\n');
}

async function measureUpload(bundle: string, tasks: TaskServer, root: string, generated: Generated) {
  const server = await startDiscardingServer();
  try {
    const host = join(root, 'host');
    await makeHost(host, generated.dataDirectory);
    const run = newRunId();
    const arena: HostArena = { vault: server.vault, tasks, bucket: 'discarded' };
    const input = uploadInput(run, GENERATED_TAG, generated);
    const command = await requestAction(arena, bundle, host, run, 'upload', input);
    const used = await measure(command);
    const output = actions.upload.output.parse(tasks.outputOf(command.token));
    if (output.files !== generated.files) {
      throw new Error(`the upload answered ${output.files} files, expected ${generated.files}`);
    }
    return used;
  } finally {
    await server.stop();
  }
}

/** A process of its own, so that neither disturbs the other's event loop. */
async function startDiscardingServer() {
  const child = spawn(process.execPath, [source('servers/discarding-server.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const region = 'us-east-1';
  const credentials = { accessKeyId: 'anybody', secretAccessKey: 'anything' };
  const client = new S3Client({ endpoint: url, region, credentials, forcePathStyle: true });
  return {
    vault: { url, region, credentials, client },
    async stop() {
      client.destroy();
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}
