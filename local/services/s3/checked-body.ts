// A streamed body on its way to the store: its last bytes are held back until it is what the caller declared, so that the
// store never has a whole object of wrong bytes.
import { createHash, type Hash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { crc32 } from 'node:zlib';
import { ServiceError } from '../../endpoint/service.ts';

/** A checksum over a stream: base64, as S3's headers have it. */
interface Digest {
  update(chunk: Buffer): void;
  base64(): string;
}

/** Checksum headers that can be verified here; the store verifies others where they are headers. */
const digests: Record<string, () => Digest> = {
  'x-amz-checksum-sha256': () => hashDigest(createHash('sha256')),
  'x-amz-checksum-sha1': () => hashDigest(createHash('sha1')),
  'x-amz-checksum-crc32': crc32Digest,
};

export function canVerify(checksumHeader: string): boolean {
  return checksumHeader in digests;
}

export interface Expectation {
  sizeBytes: number;
  /** Hex: the payload hash that was signed. */
  signedSha256?: string;
  /** A checksum that comes after the body. */
  trailer?: { name: string; value(): string | undefined };
}

export class CheckedBody extends Transform {
  readonly #expected: Expectation;
  readonly #sha256: Hash | undefined;
  readonly #trailer: Digest | undefined;
  #seen = 0;
  #held: Buffer | undefined;

  constructor(expected: Expectation) {
    super();
    this.#expected = expected;
    this.#sha256 = expected.signedSha256 === undefined ? undefined : createHash('sha256');
    this.#trailer = expected.trailer === undefined ? undefined : digests[expected.trailer.name]?.();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#seen += chunk.length;
    this.#sha256?.update(chunk);
    this.#trailer?.update(chunk);
    const previous = this.#held;
    if (chunk.length > 0) this.#held = chunk;
    done(null, chunk.length > 0 ? previous : undefined);
  }

  override _flush(done: TransformCallback): void {
    const wrong = this.#whatIsWrong();
    if (wrong !== undefined) done(wrong);
    else done(null, this.#held);
  }

  #whatIsWrong(): ServiceError | undefined {
    const { sizeBytes, signedSha256, trailer } = this.#expected;
    if (this.#seen !== sizeBytes) {
      return new ServiceError('IncompleteBody', `got ${this.#seen} bytes, expected ${sizeBytes}`);
    }
    if (signedSha256 !== undefined && this.#sha256?.digest('hex') !== signedSha256) {
      return new ServiceError(
        'XAmzContentSHA256Mismatch',
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
      );
    }
    if (trailer !== undefined && this.#trailer !== undefined && this.#trailer.base64() !== trailer.value()) {
      return new ServiceError(
        'BadDigest',
        `The ${trailer.name} you specified did not match the calculated checksum.`,
      );
    }
    return undefined;
  }
}

function hashDigest(hash: Hash): Digest {
  return { update: (chunk) => void hash.update(chunk), base64: () => hash.digest('base64') };
}

function crc32Digest(): Digest {
  let value = 0;
  return {
    update(chunk) {
      value = crc32(chunk, value);
    },
    base64() {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes.toString('base64');
    },
  };
}
