// From plain bytes to those of an object, and back: compressed, then encrypted, where its variant says so.
import { Readable } from 'node:stream';
import type { DataKey, DataKeys } from '../../adapters/ports.ts';
import type { ObjectVariant } from '../../contracts/manifests.ts';
import { compressed, decompressed, filled, isOfZstd, worthBytes } from './compression.ts';
import { decrypted, encrypted, sealedBytes, WrongCiphertext } from './encryption.ts';

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

/** What is encoded, and with what. */
interface Plain {
  /** Of the plain bytes. */
  sha256: string;
  sizeBytes: number;
  isCompressed: boolean;
  dataKey: DataKey | undefined;
}

/** A failure of the source is one of the stream. */
export function encoded(
  plain: AsyncIterable<Uint8Array>,
  { sha256, sizeBytes, isCompressed, dataKey }: Plain,
): AsyncIterable<Buffer> {
  const bytes = isCompressed ? compressed(plain, sizeBytes) : plain;
  return dataKey ? encrypted(bytes, dataKey, sha256) : (bytes as AsyncIterable<Buffer>);
}

/** @returns those bytes of `into`; undefined where compression is not worth it */
export function encodedInto(into: Buffer, plain: Uint8Array, object: Plain): Promise<Buffer | undefined> {
  const most = object.isCompressed ? worthBytes(plain.length) : plain.length;
  const room = into.subarray(0, object.dataKey ? sealedBytes(most) : most);
  return filled(room, encoded(Readable.from([plain]), object));
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
