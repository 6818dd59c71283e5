// Credentials in memory, for tests.
import { CredentialsRejected } from '../contracts/errors.ts';
import type { SecretReader } from './ports.ts';

export function memorySecrets(secrets: Record<string, { username: string; password: string }>): SecretReader {
  return {
    async read(secretArn) {
      const secret = secrets[secretArn];
      if (!secret) throw new CredentialsRejected(`secret ${secretArn}: there is none`);
      return secret;
    },
  };
}
