// Bodies as `STREAMING-UNSIGNED-PAYLOAD-TRAILER` frames them: chunks with their sizes, then trailing checksum headers.
// Source: "Signature calculations for the Authorization header: transferring a payload in multiple chunks", S3 API Reference.
import { Transform, type TransformCallback } from 'node:stream';
import { ServiceError } from '../../endpoint/service.ts';

const MAX_LINE_BYTES = 8 * 1024;

/** Passes the content on; `trailers` (lower-case names) are complete when the stream has ended. */
export class AwsChunkedDecoder extends Transform {
  readonly trailers: Record<string, string> = {};
  #state: 'size' | 'data' | 'data-end' | 'trailers' | 'done' = 'size';
  #line = Buffer.alloc(0);
  #left = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#consume(chunk);
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  override _flush(done: TransformCallback): void {
    const complete = this.#state === 'done' || this.#state === 'trailers';
    done(complete ? null : new ServiceError('IncompleteBody', 'The chunked body ended too early.'));
  }

  #consume(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0 && this.#state !== 'done') {
      rest = this.#state === 'data' ? this.#takeData(rest) : this.#takeLine(rest);
    }
  }

  #takeData(bytes: Buffer): Buffer {
    const data = bytes.subarray(0, this.#left);
    this.#left -= data.length;
    if (this.#left === 0) this.#state = 'data-end';
    this.push(data);
    return bytes.subarray(data.length);
  }

  #takeLine(bytes: Buffer): Buffer {
    const end = bytes.indexOf(0x0a);
    const part = end < 0 ? bytes : bytes.subarray(0, end + 1);
    this.#line = Buffer.concat([this.#line, part]);
    if (this.#line.length > MAX_LINE_BYTES) throw malformed('a line is too long');
    if (end >= 0) {
      const line = this.#line.toString('latin1').trimEnd();
      this.#line = Buffer.alloc(0);
      this.#endLine(line);
    }
    return bytes.subarray(part.length);
  }

  #endLine(line: string): void {
    switch (this.#state) {
      case 'size': {
        const size = /^([0-9a-f]+)(?:;.*)?$/i.exec(line)?.[1];
        if (size === undefined) throw malformed(`"${line}" is no chunk size`);
        this.#left = Number.parseInt(size, 16);
        this.#state = this.#left === 0 ? 'trailers' : 'data';
        return;
      }
      case 'data-end':
        if (line !== '') throw malformed('a chunk is longer than its size');
        this.#state = 'size';
        return;
      default: {
        if (line === '') {
          this.#state = 'done';
          return;
        }
        const colon = line.indexOf(':');
        this.trailers[line.slice(0, colon).toLowerCase().trim()] = line.slice(colon + 1).trim();
      }
    }
  }
}

function malformed(why: string): ServiceError {
  return new ServiceError('InvalidRequest', `The chunked body is malformed: ${why}.`);
}
