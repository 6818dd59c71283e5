// What `prepare` installs on a host: a Node runtime and the host program in one archive, named by its SHA-256.
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { Construct } from 'constructs';
import { buildSync } from 'esbuild';
import { create } from 'tar';
import { HOST_PROGRAM } from '../bundling.ts';
import { PROJECT_ROOT } from '../project-root.ts';
import { type HostArchitecture, lockedRuntime, runtimeBinary } from './runtimes.ts';

export type { HostArchitecture } from './runtimes.ts';

export interface HostBundle {
  asset: Asset;
  /** Of the archive: names its directory on a host. */
  sha256: string;
}

/** Changes with the way an archive is made, so that one made otherwise is not taken for it. */
const RECIPE = '2';

let program: ReadonlyMap<string, Uint8Array> | undefined;

export function hostBundle(scope: Construct, architecture: HostArchitecture): HostBundle {
  const path = archive(architecture);
  return {
    asset: new Asset(scope, `HostBundle${architecture.toUpperCase()}`, { path }),
    sha256: sha256(readFileSync(path)),
  };
}

/** Compressing a runtime takes seconds: an archive is made once for what goes into it. */
function archive(architecture: HostArchitecture): string {
  program ??= hostProgram();
  const node = runtimeBinary(architecture);
  const files = [...program].map(([name, contents]) => `${name} ${sha256(contents)}\n`);
  const contents = sha256(`${RECIPE}\n${lockedRuntime(architecture).integrity}\n${files.join('')}`);
  const cache = join(PROJECT_ROOT, '.cache/host-bundles', contents);
  const path = join(cache, `ringvault-host-${architecture}.tar.gz`);
  if (existsSync(path)) return path;

  const staging = mkdtempSync(join(tmpdir(), 'ringvault-host-'));
  try {
    mkdirSync(join(staging, 'bin'));
    symlinkSync(node, join(staging, 'bin/node'));
    for (const [name, contents] of program) writeFileSync(join(staging, name), contents);
    mkdirSync(cache, { recursive: true });
    const unfinished = `${path}.${randomUUID()}`;
    // The same bytes wherever and whenever it is made.
    create(
      {
        file: unfinished,
        cwd: staging,
        sync: true,
        follow: true,
        portable: true,
        mtime: new Date(0),
        gzip: { level: 6 },
      },
      ['bin/node', ...program.keys()],
    );
    renameSync(unfinished, path);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  return path;
}

/** File name → content. */
function hostProgram(): ReadonlyMap<string, Uint8Array> {
  const { outputFiles } = buildSync({ ...HOST_PROGRAM, outdir: '.', write: false });
  const files = outputFiles.map(({ path, contents }) => [basename(path), contents] as const);
  const program = new Map(files.sort(([one], [other]) => (one < other ? -1 : 1)));
  if (!program.has('host.mjs')) throw new Error('node-scripts/host.ts: esbuild made no host.mjs of it');
  return program;
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
