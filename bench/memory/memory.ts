// The host program's peak memory when it uploads much, into a server that discards what it is sent.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { S3Client } from '@aws-sdk/client-s3';
import { actions } from '../../contracts/actions.ts';
import { measure, type Usage } from '../measure/measure.ts';
import { cached, source } from '../paths.ts';
import { thisMachine } from '../results/machine.ts';
import { table } from '../results/table.ts';
import { startKmsServer } from '../servers/kms-server.ts';
import { startTaskServer } from '../servers/task-server.ts';
import { type HostArena, type HostSettings, makeHost, newRunId, requestAction } from '../subjects/host.ts';
import { unpackHostBundle } from '../subjects/host-bundle.ts';
import { uploadInput } from '../subjects/host-program.ts';
import {
  GENERATED_TAG,
  type Generated,
  generateBlocks,
  generateFiles,
  generateSmallFiles,
} from './generated.ts';

const LIMIT_MIB = 250;
/** Results of this size or more, of all rows, are worth keeping. */
const [FULL_FILES, FULL_GIB] = [200_000, 20];
const KMS_KEY = 'arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000';
/** As many of everything at once as the configuration allows. */
const MOST = { uploadsAtOnce: 64, hashesAtOnce: 4 };

interface Row extends HostSettings {
  name: string;
  generate(root: string): Promise<Generated>;
  isEncrypted?: boolean;
}

export interface MemoryOptions {
  files: number;
  gib: number;
  /** Those whose names have one of these. */
  only: string[] | undefined;
}

function rowsOf({ files, gib, only }: MemoryOptions): Row[] {
  const small = { what: '250 files of 3.9 MiB', generate: (root: string) => generateFiles(root, 250, 3.9) };
  const large = { what: '4 files of 300 MiB', generate: (root: string) => generateFiles(root, 4, 300) };
  const manners = [
    { how: 'encrypted', isEncrypted: true },
    { how: 'zstd', compression: 'zstd' },
    { how: 'zstd, encrypted', compression: 'zstd', isEncrypted: true },
  ] as const;
  const most = [
    { how: '64 at once', limits: { uploadsAtOnce: MOST.uploadsAtOnce } },
    { how: 'zstd, encrypted, 64 at once, 4 threads', compression: 'zstd', isEncrypted: true, limits: MOST },
  ] as const;
  const rows: Row[] = [
    { name: `${files} small files`, generate: (root) => generateSmallFiles(root, files) },
    { name: `${gib} GiB of distinct blocks`, generate: (root) => generateBlocks(root, gib) },
    ...[small, large].flatMap(({ what, generate }) =>
      [...manners, ...most].map(({ how, ...row }) => ({ name: `${what}, ${how}`, generate, ...row })),
    ),
  ];
  return rows.filter(({ name }) => only?.some((part) => name.includes(part)) ?? true);
}

export async function measureMemory(options: MemoryOptions & { say(line: string): void }): Promise<void> {
  const { say } = options;
  const root = cached('memory');
  await mkdir(root, { recursive: true });
  const bundle = await unpackHostBundle();
  const servers = { tasks: await startTaskServer(), kms: await startKmsServer() };
  const rows: string[][] = [];
  try {
    for (const row of rowsOf(options)) {
      say(`${row.name}: being made`);
      const used = await measureUpload(bundle, servers, root, row);
      const verdict = used.peakRssMiB <= LIMIT_MIB ? 'within' : 'OVER';
      const peak = used.peakRssMiB.toFixed(0);
      const [wall, cpu] = [used.wallSeconds, used.userSeconds + used.systemSeconds].map((s) => s.toFixed(1));
      rows.push([row.name, peak, `${verdict} ${LIMIT_MIB}`, `${wall}`, `${cpu}`]);
      say(`${row.name}: peak RSS ${peak} MiB, ${verdict} ${LIMIT_MIB} MiB; ${wall} s, CPU ${cpu} s`);
    }
  } finally {
    servers.kms.stop();
    await servers.tasks.stop();
    await rm(root, { recursive: true, force: true });
  }
  const isFull = options.files >= FULL_FILES && options.gib >= FULL_GIB && !options.only;
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

async function measureUpload(
  bundle: string,
  servers: Pick<HostArena, 'tasks' | 'kms'>,
  root: string,
  row: Row,
): Promise<Usage> {
  const generated = await row.generate(root);
  const server = await startDiscardingServer();
  try {
    const host = join(root, 'host');
    await makeHost(host, generated.dataDirectory);
    const run = newRunId();
    const arena: HostArena = { vault: server.vault, ...servers, bucket: 'discarded' };
    const input = {
      ...uploadInput(run, GENERATED_TAG, generated),
      encryption: row.isEncrypted ? { clientSideKeyArn: KMS_KEY } : {},
    };
    const command = await requestAction(arena, bundle, host, run, 'upload', input, row);
    const used = await measure(command);
    const output = actions.upload.output.parse(servers.tasks.outputOf(command.token));
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
