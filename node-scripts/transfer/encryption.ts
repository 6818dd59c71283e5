// Objects that the host encrypts itself: AES-256-GCM in chunks, so that a part can be read without the rest, and so that no
// chunk can be left out, exchanged or added unseen. docs/storage-format.md, "Encrypted objects", has every byte.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { pieces } from '../../adapters/pieces.ts';
import type { ByteRange, DataKey, DataKeys } from '../../adapters/ports.ts';
import { NewerFormat, UnexpectedError } from '../../contracts/errors.ts';

const MAGIC = Buffer.from('RVENC\0\0\x01', 'latin1');
const VERSION = 1;
export const HEADER_BYTES = 512;
const SALT_BYTES = 32;
const WRAPPED_AT = MAGIC.length + 2;
const SALT_AT = HEADER_BYTES - SALT_BYTES;
const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** What was read is not what was encrypted under this name. */
export class WrongCiphertext extends Error {}

/** @param sha256 that names the object, hex: bound to it, the bytes are of no use under another name */
export async function* encrypted(
  plain: AsyncIterable<Uint8Array>,
  { plaintext, wrapped }: DataKey,
  sha256: string,
): AsyncGenerator<Buffer> {
  const salt = randomBytes(SALT_BYTES);
  yield headerOf(wrapped, salt);
  const key = objectKeyOf(plaintext, salt, sha256);
  let index = 0;
  for await (const { bytes, isLast } of pieces(plain, [Buffer.allocUnsafeSlow(CHUNK_BYTES)])) {
    const cipher = createCipheriv(CIPHER, key, nonceOf(index, isLast));
    yield cipher.update(bytes);
    cipher.final();
    yield cipher.getAuthTag();
    index += 1;
  }
}

/** @throws WrongCiphertext, what the keys throw */
export async function* decrypted(
  stored: AsyncIterable<Uint8Array>,
  keys: DataKeys,
  sha256: string,
): AsyncGenerator<Buffer> {
  const iterator = stored[Symbol.asyncIterator]();
  try {
    yield* opened(iterator, keys, sha256);
  } finally {
    // Whoever reads no further gives the connection back.
    await iterator.return?.();
  }
}

async function* opened(
  stored: AsyncIterator<Uint8Array>,
  keys: DataKeys,
  sha256: string,
): AsyncGenerator<Buffer> {
  const { first, rest } = await splitAt(stored, HEADER_BYTES);
  const open = await openHeader(first, keys, sha256);
  let index = 0;
  const sealed = Buffer.allocUnsafeSlow(CHUNK_BYTES + TAG_BYTES);
  for await (const { bytes, isLast } of pieces(rest, [sealed])) {
    yield open(bytes, index, isLast);
    index += 1;
  }
}

/** Opens a chunk by its place in the object. @throws WrongCiphertext */
export type OpenChunk = (sealed: Buffer, index: number, isLast: boolean) => Buffer;

/** @throws WrongCiphertext NewerFormat, what the keys throw */
export async function openHeader(header: Buffer, keys: DataKeys, sha256: string): Promise<OpenChunk> {
  const { wrapped, salt } = readHeader(header);
  const unwrapped = await keys.unwrap(wrapped);
  if (!unwrapped) throw new WrongCiphertext('its key was not wrapped for this cluster');
  const key = objectKeyOf(unwrapped.plaintext, salt, sha256);
  return (sealed, index, isLast) => {
    if (sealed.length < TAG_BYTES) throw new WrongCiphertext(`chunk ${index} was cut`);
    const decipher = createDecipheriv(CIPHER, key, nonceOf(index, isLast), { authTagLength: TAG_BYTES });
    const end = sealed.length - TAG_BYTES;
    decipher.setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(0, end));
    try {
      decipher.final();
    } catch {
      throw new WrongCiphertext(`chunk ${index} is not what was encrypted`);
    }
    return plain;
  };
}

/** How many bytes the object of so many plain ones has. */
export function sealedBytes(plain: number): number {
  return HEADER_BYTES + plain + TAG_BYTES * Math.max(1, Math.ceil(plain / CHUNK_BYTES));
}

/** Where in the object plain bytes lie that begin with a chunk, and end with one or with the last of all. */
export function sealedRange({ start, end }: ByteRange): ByteRange {
  const placeOf = (plain: number) => HEADER_BYTES + plain + TAG_BYTES * Math.ceil(plain / CHUNK_BYTES);
  return { start: placeOf(start), end: placeOf(end) };
}

/** Opens the chunks of such a range as their bytes come. */
export class RangeOpener {
  readonly #open: OpenChunk;
  readonly #range: ByteRange;
  readonly #sizeBytes: number;
  readonly #take: (plain: Buffer) => void;
  readonly #sealed = Buffer.allocUnsafe(CHUNK_BYTES + TAG_BYTES);
  #filled = 0;
  /** Of the chunk that comes, in the plain bytes. */
  #at: number;

  /** @param sizeBytes of all plain bytes, one at least */
  constructor(open: OpenChunk, range: ByteRange, sizeBytes: number, take: (plain: Buffer) => void) {
    this.#open = open;
    this.#range = range;
    this.#sizeBytes = sizeBytes;
    this.#take = take;
    this.#at = range.start;
  }

  /** @throws WrongCiphertext, what `take` throws */
  push(bytes: Buffer): void {
    for (let used = 0; used < bytes.length; ) {
      const end = Math.min(this.#at + CHUNK_BYTES, this.#range.end);
      const length = end - this.#at + TAG_BYTES;
      const taken = bytes.copy(this.#sealed, this.#filled, used, used + length - this.#filled);
      used += taken;
      this.#filled += taken;
      if (this.#filled < length) return;
      const index = this.#at / CHUNK_BYTES;
      this.#take(this.#open(this.#sealed.subarray(0, length), index, end === this.#sizeBytes));
      this.#at = end;
      this.#filled = 0;
    }
  }
}

function headerOf(wrapped: Buffer, salt: Buffer): Buffer {
  if (wrapped.length > SALT_AT - WRAPPED_AT) {
    throw new UnexpectedError(
      `got a wrapped data key of ${wrapped.length} bytes, expected ${SALT_AT - WRAPPED_AT} at most`,
    );
  }
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt16BE(wrapped.length, MAGIC.length);
  wrapped.copy(header, WRAPPED_AT);
  salt.copy(header, SALT_AT);
  return header;
}

function readHeader(header: Buffer): { wrapped: Buffer; salt: Buffer } {
  if (header.length < HEADER_BYTES) throw new WrongCiphertext('its header was cut');
  if (!header.subarray(0, MAGIC.length - 1).equals(MAGIC.subarray(0, -1))) {
    throw new WrongCiphertext('it has no header');
  }
  const version = header.readUInt8(MAGIC.length - 1);
  if (version > VERSION)
    throw new NewerFormat(`got an encrypted object of version ${version}, expected ${VERSION}`);
  if (version !== VERSION) throw new WrongCiphertext(`its version is ${version}`);
  const length = header.readUInt16BE(MAGIC.length);
  if (length === 0 || length > SALT_AT - WRAPPED_AT)
    throw new WrongCiphertext('its header has no wrapped key');
  return {
    wrapped: header.subarray(WRAPPED_AT, WRAPPED_AT + length),
    salt: header.subarray(SALT_AT),
  };
}

function objectKeyOf(plaintext: Buffer, salt: Buffer, sha256: string): Buffer {
  return Buffer.from(hkdfSync('sha256', plaintext, salt, `ringvault/object/${sha256}`, 32));
}

/** A key encrypts one object, so a chunk's place in it is a nonce; that it is the last one is a part of it. */
function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(index, 7);
  nonce.writeUInt8(isLast ? 1 : 0, 11);
  return nonce;
}

/** `first` has fewer bytes where there are no more. */
async function splitAt(
  iterator: AsyncIterator<Uint8Array>,
  length: number,
): Promise<{ first: Buffer; rest: AsyncIterable<Uint8Array> }> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < length) {
    const { value, done } = await iterator.next();
    if (done) break;
    read.push(value);
    bytes += value.length;
  }
  const all = Buffer.concat(read);
  async function* rest() {
    yield all.subarray(length);
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  }
  return { first: all.subarray(0, length), rest: rest() };
}
