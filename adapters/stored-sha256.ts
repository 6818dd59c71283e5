// The SHA-256 of an object as it is stored.
import { createHash } from 'node:crypto';
import type { ObjectAttributes, ObjectStore } from './ports.ts';

/**
 * S3's own; of an object that was sent in parts S3 has none of the whole, and it is read. Undefined: it is gone.
 * @param beforeBytes waited for before so many bytes that were read are taken
 */
export async function storedSha256(
  store: Pick<ObjectStore, 'getStream'>,
  key: string,
  attributes: ObjectAttributes,
  beforeBytes?: (bytes: number) => Promise<void>,
): Promise<string | undefined> {
  if (attributes.sha256) return attributes.sha256;
  const stored = await store.getStream(key);
  if (!stored) return undefined;
  const sha256 = createHash('sha256');
  for await (const chunk of stored.body) {
    await beforeBytes?.((chunk as Buffer).length);
    sha256.update(chunk as Buffer);
  }
  return sha256.digest('hex');
}
