// The Node runtimes that go to the hosts, from npm's platform packages: node_modules has this machine's, .runtimes/ the
// other architecture's once it was fetched.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../project-root.ts';

export const HOST_ARCHITECTURES = ['x64', 'arm64'] as const;
export type HostArchitecture = (typeof HOST_ARCHITECTURES)[number];

/** Where the package that holds an architecture's runtime lies once it was fetched. */
export function fetchedRuntime(architecture: HostArchitecture): string {
  return join(PROJECT_ROOT, '.runtimes', `node-linux-${architecture}`);
}

/** The version and hash that package-lock.json pins for an architecture's runtime. */
export function lockedRuntime(architecture: HostArchitecture): { version: string; integrity: string } {
  const lock = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string; integrity?: string }>;
  };
  const name = `node_modules/node-linux-${architecture}`;
  const { version, integrity } = lock.packages[name] ?? {};
  if (!version || !integrity) {
    throw new Error(`package-lock.json: got no version and integrity for ${name}, expected both`);
  }
  return { version, integrity };
}

/** The runtime's `node`. @throws where it is not at hand, saying how to get it */
export function runtimeBinary(architecture: HostArchitecture): string {
  const { version } = lockedRuntime(architecture);
  const candidates = [
    join(PROJECT_ROOT, 'node_modules', `node-linux-${architecture}`),
    fetchedRuntime(architecture),
  ];
  for (const directory of candidates) {
    const manifest = join(directory, 'package.json');
    if (!existsSync(manifest)) continue;
    const found = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string };
    if (found.version === version) return join(directory, 'bin/node');
  }
  throw new Error(
    `The Node runtime ${version} for Linux ${architecture} is not at hand (looked in ${candidates.join(' and ')}). ` +
      'Run `npm run host-runtimes`, then synthesize again.',
  );
}
