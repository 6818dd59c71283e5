// What the hasher and its worker threads tell each other.
import type { BigIntStats } from 'node:fs';

/** What a file is known by while its bytes are the same. Not ctime, which every snapshot changes through the link count. */
export type FileIdentity = Pick<BigIntStats, 'dev' | 'ino' | 'birthtimeNs' | 'size' | 'mtimeNs' | 'mtimeMs'>;

export interface HashJob {
  /** Read one after another, as one run of bytes. */
  paths: string[];
  /** Shared memory, which keeps the bytes where they are no more than it has. */
  into?: Uint8Array;
}

/** Counts the files below snapshots' directories. */
export interface MeasureJob {
  directories: string[];
}

export interface Measured {
  outcome: 'measured';
  files: number;
  bytes: number;
}

export interface Hashed {
  outcome: 'hashed';
  /** Of each path. */
  files: Array<{
    sha256: string;
    identity: FileIdentity;
    /** Of a Data.db that is not what its Digest.crc32 says: what is wrong with it. */
    rot?: string;
  }>;
  /** Of all bytes. */
  sha256: string;
  sizeBytes: number;
  crc32: number;
  /** Of the parts that so many bytes are sent in. */
  partCrc32: number[];
  partBytes: number;
  /** Of `into`, as many as there are. */
  body?: Uint8Array;
}

export type FromHashWorker =
  | Hashed
  | Measured
  | { outcome: 'changed'; path: string }
  | { outcome: 'stopped' }
  | { outcome: 'failed'; message: string; code: string | undefined };
