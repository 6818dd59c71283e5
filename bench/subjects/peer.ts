// What the peers have in common: where install-peers.sh puts them, and how they are told of the S3 server.
import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { cached } from '../paths.ts';
import type { VaultServer } from '../servers/vault-server.ts';

export const program = (name: string) => cached('peers', 'bin', name);

/** The first line that a program says of its version; undefined where it is not installed. */
export async function versionOf(name: string, ...args: string[]): Promise<string | undefined> {
  if (!existsSync(program(name))) return undefined;
  const { stdout, failed } = await execa(program(name), args, { reject: false });
  return failed ? undefined : stdout.split('\n')[0];
}

type Known = Pick<VaultServer, 'credentials' | 'region' | 'certificate'>;

export function awsEnvironment(vault: Known): Record<string, string> {
  return {
    ...trust(vault),
    AWS_ACCESS_KEY_ID: vault.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: vault.credentials.secretAccessKey,
    AWS_REGION: vault.region,
    AWS_DEFAULT_REGION: vault.region,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

/** The server's certificate, as Go's and Node's programs are told of it. */
export function trust({ certificate }: Pick<Known, 'certificate'>): Record<string, string> {
  return certificate ? { SSL_CERT_FILE: certificate, NODE_EXTRA_CA_CERTS: certificate } : {};
}
