// A small JSON document on disk: the state of services that keep little. One writer: this process.
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { z } from 'zod';

export class JsonFile<Schema extends z.ZodType> {
  readonly #path: string;
  readonly #schema: Schema;
  readonly #empty: z.output<Schema>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string, schema: Schema, empty: z.output<Schema>) {
    this.#path = path;
    this.#schema = schema;
    this.#empty = empty;
  }

  async read(): Promise<z.output<Schema>> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    return text === undefined ? this.#empty : this.#schema.parse(JSON.parse(text));
  }

  /** Changes follow one another; a reader sees the document before or after a change, never a part. */
  update(change: (now: z.output<Schema>) => z.output<Schema>): Promise<void> {
    const done = this.#turn.then(async () => {
      const next = change(await this.read());
      await writeFile(`${this.#path}.new`, JSON.stringify(next, null, 2), { mode: 0o600 });
      await rename(`${this.#path}.new`, this.#path);
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
