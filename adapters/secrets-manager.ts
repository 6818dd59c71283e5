// Credentials from Secrets Manager: read when they are needed, kept in memory alone.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { CredentialsRejected } from '../contracts/errors.ts';
import type { SecretReader } from './ports.ts';

const credentials = z.object({ username: z.string().min(1), password: z.string() });

/** @throws CredentialsRejected where the secret cannot be read or is not `{"username": …, "password": …}` */
export function secretsManagerReader(
  options: { region?: string; client?: SecretsManagerClient } = {},
): SecretReader {
  const client =
    options.client ??
    new SecretsManagerClient({ ...(options.region && { region: options.region }), maxAttempts: 6 });
  return {
    async read(SecretId) {
      let text: string | undefined;
      try {
        text = (await client.send(new GetSecretValueCommand({ SecretId }))).SecretString;
      } catch (cause) {
        const said = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
        throw new CredentialsRejected(`secret ${SecretId}: got ${said}`, { cause });
      }
      return credentialsOf(text, SecretId);
    },
  };
}

/** Never tells what the secret holds. */
function credentialsOf(text: string | undefined, secretArn: string) {
  try {
    return credentials.parse(JSON.parse(text ?? ''));
  } catch {
    throw new CredentialsRejected(
      `secret ${secretArn}: expected JSON like {"username": "…", "password": "…"}, got something else`,
    );
  }
}
