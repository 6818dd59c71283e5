// From plain bytes to those of an object, and back: compressed, then encrypted, where its variant says so.
import type { DataKey, DataKeys } from '../../adapters/ports.ts';
import type { ObjectVariant } from '../../contracts/manifests.ts';
import { compressed, decompressed, isOfZstd } from './compression.ts';
import { decrypted, encrypted, WrongCiphertext } from './encryption.ts';

/** How an object's bytes are made of the plain ones. */
export interface Encoding {
  isCompressed: boolean;
  isEncrypted: boolean;
}

export function encodingOf(variant: ObjectVariant): Encoding {
  return { isCompressed: variant.startsWith('zst'), isEncrypted: variant.includes('enc') };
}

export function variantOf({ isCompressed, isEncrypted }: Encoding, isBeside: boolean): ObjectVariant {
  const parts = [isCompressed && 'zst', isEncrypted && 'enc', isBeside && '2'].filter(Boolean);
  return (parts.length > 0 ? parts.join('.') : 'plain') as ObjectVariant;
}

/** Whether its bytes are others than the plain ones. */
export function isEncoded(variant: ObjectVariant): boolean {
  const { isCompressed, isEncrypted } = encodingOf(variant);
  return isCompressed || isEncrypted;
}

/** @param sha256 of the plain bytes. A failure of the source is one of the stream. */
export function encoded(
  plain: AsyncIterable<Uint8Array>,
  object: { sha256: string; sizeBytes: number; isCompressed: boolean; dataKey: DataKey | undefined },
): AsyncIterable<Buffer> {
  const { sha256, sizeBytes, isCompressed, dataKey } = object;
  const bytes = isCompressed ? compressed(plain, sizeBytes) : plain;
  return dataKey ? encrypted(bytes, dataKey, sha256) : (bytes as AsyncIterable<Buffer>);
}

/** @throws what `isUndecodable` knows where the bytes are not what was stored under this name; what the keys throw */
export function decoded(
  stored: AsyncIterable<Uint8Array>,
  { variant, sha256 }: { variant: ObjectVariant; sha256: string },
  keys: DataKeys,
): AsyncIterable<Buffer> {
  const { isCompressed, isEncrypted } = encodingOf(variant);
  const bytes = isEncrypted ? decrypted(stored, keys, sha256) : stored;
  return isCompressed ? decompressed(bytes) : (bytes as AsyncIterable<Buffer>);
}

/** Of what `decoded` throws: the stored bytes are to blame. */
export function isUndecodable(error: unknown): boolean {
  return isOfZstd(error) || error instanceof WrongCiphertext;
}
