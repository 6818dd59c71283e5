// The host program exactly as a host gets it: the archive that the stack deploys, unpacked.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { extract } from 'tar';
import { hostBundle } from '../../infra/host-bundle/host-bundle.ts';
import { cached } from '../paths.ts';

/** Node and the program, `bin/node` and `host.mjs`, below the directory that is answered. */
export async function unpackHostBundle(): Promise<string> {
  const directory = cached('host-program');
  const outdir = await mkdtemp(`${cached('synth')}-`);
  try {
    const { asset } = hostBundle(new Stack(new App({ outdir, analyticsReporting: false }), 'Bench'), 'x64');
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    await extract({ file: join(outdir, asset.assetPath), cwd: directory });
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
  return directory;
}
