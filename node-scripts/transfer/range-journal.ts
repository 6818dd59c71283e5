// Which ranges of a file on its way are written, beside it: who fetches it after a kill goes on with them. A hint and no more,
// neither synced nor believed: what is on the disk is hashed, and right as a whole or fetched anew.
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ByteRange } from '../../adapters/ports.ts';
import type { FetchFile } from './fetch-object.ts';
import { statOwn, temporaryOf } from './part-file.ts';

export const journalOf = (target: string) => `${temporaryOf(target)}.ranges`;

export class RangeJournal {
  readonly #path: string;
  readonly #starts: ReadonlySet<number>;

  private constructor(path: string, starts: ReadonlySet<number>) {
    this.#path = path;
    this.#starts = starts;
  }

  /** That of the same bytes, cut into the same ranges, is gone on with; else it is begun. */
  static open({ target, sha256, sizeBytes }: FetchFile, rangeBytes: number): RangeJournal {
    const path = journalOf(target);
    const head = `${sha256} ${rangeBytes}`;
    // Whole lines alone: a number that was torn is another number.
    const [first, ...lines] = statOwn(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
    const starts = lines.map(Number);
    const size = statOwn(temporaryOf(target))?.size ?? 0;
    const isThere = starts.every((start) => size >= Math.min(start + rangeBytes, sizeBytes));
    if (first === head && isThere) return new RangeJournal(path, new Set(starts));
    rmSync(path, { force: true });
    writeFileSync(path, `${head}\n`, { flag: 'wx', mode: 0o600 });
    return new RangeJournal(path, new Set());
  }

  get isBegun(): boolean {
    return this.#starts.size > 0;
  }

  /** By whoever had the file before. */
  has({ start }: ByteRange): boolean {
    return this.#starts.has(start);
  }

  add({ start }: ByteRange): void {
    appendFileSync(this.#path, `${start}\n`);
  }

  end(): void {
    rmSync(this.#path, { force: true });
  }
}
