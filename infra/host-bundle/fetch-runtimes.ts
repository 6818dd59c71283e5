// `npm run host-runtimes`: fetches the runtimes that `npm ci` leaves out on this machine, by the hash of package-lock.json.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { extract } from 'tar';
import { PROJECT_ROOT } from '../project-root.ts';
import {
  fetchedRuntime,
  HOST_ARCHITECTURES,
  type HostArchitecture,
  lockedRuntime,
  runtimeBinary,
} from './runtimes.ts';

async function fetchRuntime(architecture: HostArchitecture): Promise<void> {
  const { version, integrity } = lockedRuntime(architecture);
  const name = `node-linux-${architecture}@${version}`;
  const parent = join(PROJECT_ROOT, '.runtimes');
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, '.fetch-'));
  try {
    const packed = execFileSync('npm', ['pack', name, '--json', '--pack-destination', work], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
    const archive = join(work, filename);
    const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (found !== integrity)
      throw new Error(`${name}: got ${found}, expected ${integrity} of package-lock.json`);
    await extract({ file: archive, cwd: work });
    rmSync(fetchedRuntime(architecture), { recursive: true, force: true });
    renameSync(join(work, 'package'), fetchedRuntime(architecture));
    console.log(`${name} is in ${fetchedRuntime(architecture)}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function isAtHand(architecture: HostArchitecture): boolean {
  try {
    runtimeBinary(architecture);
    return true;
  } catch {
    return false;
  }
}

for (const architecture of HOST_ARCHITECTURES) {
  if (!isAtHand(architecture)) await fetchRuntime(architecture);
}
