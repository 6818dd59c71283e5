// The memory in which bodies are made and kept until they are sent: one piece for all of an upload, used again and again. Memory
// that is allocated for each is given back when the collector comes by, which is long after, and at no time that is known.
import { UnexpectedError } from '../../contracts/errors.ts';

const MIB = 1024 ** 2;
/** Of the 250 MiB that the program may have, so many are for bodies and for the threads that hash them. */
const TOGETHER_BYTES = 104 * MIB;
/** Of Node itself, in each thread. */
const THREAD_BYTES = 16 * MIB;

export function bodyBytes(threads: number): number {
  return TOGETHER_BYTES - threads * THREAD_BYTES;
}

export interface Loan {
  /** Shared with worker threads. */
  readonly bytes: Buffer;
  /** Only these of its bytes are needed from now on. */
  keepOnly(bytes: Uint8Array): void;
}

interface Run {
  start: number;
  end: number;
}

interface Waiting {
  length: number;
  resolve(run: Run): void;
}

export class BodyMemory {
  readonly mostBytes: number;
  readonly #shared: SharedArrayBuffer;
  /** In their order, none next to another. */
  #free: Run[];
  /** First come, first served: who wants much gets it, too. */
  readonly #waiting: Waiting[] = [];

  /** Of what is not used yet the system has given nothing. */
  constructor(mostBytes: number) {
    this.mostBytes = mostBytes;
    this.#shared = new SharedArrayBuffer(mostBytes);
    this.#free = [{ start: 0, end: mostBytes }];
  }

  /** Waits until there are so many. Who has some must not ask for more: several might wait for each other. */
  async lend<Value>(length: number, use: (loan: Loan) => Promise<Value>): Promise<Value> {
    if (length > this.mostBytes)
      throw new UnexpectedError(
        `got a body of ${length} bytes, expected ${this.mostBytes} at most in memory`,
      );
    const own = await this.#take(length);
    const loan = {
      bytes: Buffer.from(this.#shared, own.start, length),
      keepOnly: ({ byteOffset, byteLength }: Uint8Array) => {
        const { start, end } = own;
        own.start = byteOffset;
        own.end = byteOffset + byteLength;
        this.#giveBack({ start, end: own.start }, { start: own.end, end });
      },
    };
    try {
      return await use(loan);
    } finally {
      this.#giveBack(own);
    }
  }

  #take(length: number): Promise<Run> {
    return new Promise((resolve) => {
      this.#waiting.push({ length, resolve });
      this.#serve();
    });
  }

  #serve(): void {
    for (let [first] = this.#waiting; first; [first] = this.#waiting) {
      const { length, resolve } = first;
      const run = this.#free.find(({ start, end }) => end - start >= length);
      if (!run) return;
      this.#waiting.shift();
      const { start } = run;
      run.start += length;
      resolve({ start, end: start + length });
    }
  }

  #giveBack(...runs: Run[]): void {
    const all = [...this.#free, ...runs].filter(({ start, end }) => end > start);
    all.sort((one, other) => one.start - other.start);
    this.#free = [];
    for (const run of all) {
      const last = this.#free.at(-1);
      if (last?.end === run.start) last.end = run.end;
      else this.#free.push({ ...run });
    }
    this.#serve();
  }
}
