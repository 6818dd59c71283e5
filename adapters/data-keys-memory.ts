// Data keys in memory, for tests: the same promises as KMS, kept by the same suite.
import { randomBytes } from 'node:crypto';
import type { DataKeys } from './ports.ts';

/** @param wrapped by the hex of a wrapped key: whose it is; give several clusters the same one */
export function memoryDataKeys(
  clusterId: string,
  wrapped = new Map<string, { clusterId: string; plaintext: Buffer }>(),
): DataKeys {
  return {
    async generate() {
      const key = { plaintext: randomBytes(32), wrapped: randomBytes(184) };
      wrapped.set(key.wrapped.toString('hex'), { clusterId, plaintext: key.plaintext });
      return key;
    },
    async unwrap(bytes) {
      const found = wrapped.get(bytes.toString('hex'));
      return found?.clusterId === clusterId ? found.plaintext : undefined;
    },
  };
}
