// Data keys in memory, for tests: the same promises as KMS, kept by the same suite.
import { randomBytes } from 'node:crypto';
import type { DataKeys, UnwrappedKey } from './ports.ts';

/** @param wrapped by the hex of a wrapped key: whose it is; give several clusters the same one */
export function memoryDataKeys(
  clusterId: string,
  wrapped = new Map<string, UnwrappedKey & { clusterId: string }>(),
): DataKeys {
  return {
    async generate(kmsKeyArn) {
      const key = { plaintext: randomBytes(32), kmsKeyArn };
      const bytes = randomBytes(184);
      wrapped.set(bytes.toString('hex'), { clusterId, ...key });
      return { ...key, wrapped: bytes };
    },
    async unwrap(bytes) {
      const found = wrapped.get(bytes.toString('hex'));
      return found?.clusterId === clusterId ? found : undefined;
    },
  };
}
