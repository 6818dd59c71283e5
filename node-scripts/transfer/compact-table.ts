// A hash table of fixed-size keys and values in one buffer: a million files take tens of megabytes, not hundreds.

export class CompactTable {
  readonly #keyBytes: number;
  readonly #valueBytes: number;
  readonly #slotBytes: number;
  #slots: number;
  #buffer: Buffer;
  #size = 0;

  /** Keys must be spread evenly already, as hashes are. */
  constructor(keyBytes: number, valueBytes: number, expected = 1024) {
    this.#keyBytes = keyBytes;
    this.#valueBytes = valueBytes;
    this.#slotBytes = 1 + keyBytes + valueBytes;
    this.#slots = 2 ** Math.ceil(Math.log2(Math.max(16, expected * 1.5)));
    this.#buffer = Buffer.alloc(this.#slots * this.#slotBytes);
  }

  get size(): number {
    return this.#size;
  }

  get(key: Buffer): Buffer | undefined {
    const at = this.#find(key);
    if (this.#buffer[at] === 0) return undefined;
    return this.#buffer.subarray(at + 1 + this.#keyBytes, at + this.#slotBytes);
  }

  set(key: Buffer, value: Buffer): void {
    if (this.#size > this.#slots * 0.7) this.#grow();
    const at = this.#find(key);
    if (this.#buffer[at] === 0) this.#size += 1;
    this.#buffer[at] = 1;
    key.copy(this.#buffer, at + 1, 0, this.#keyBytes);
    value.copy(this.#buffer, at + 1 + this.#keyBytes, 0, this.#valueBytes);
  }

  *#entriesOf(buffer: Buffer): Generator<[Buffer, Buffer]> {
    for (let at = 0; at < buffer.length; at += this.#slotBytes) {
      if (buffer[at] === 0) continue;
      const valueAt = at + 1 + this.#keyBytes;
      yield [buffer.subarray(at + 1, valueAt), buffer.subarray(valueAt, at + this.#slotBytes)];
    }
  }

  #find(key: Buffer): number {
    let slot = key.readUInt32LE(0) & (this.#slots - 1);
    for (;;) {
      const at = slot * this.#slotBytes;
      const same = () => key.compare(this.#buffer, at + 1, at + 1 + this.#keyBytes, 0, this.#keyBytes) === 0;
      if (this.#buffer[at] === 0 || same()) return at;
      slot = (slot + 1) & (this.#slots - 1);
    }
  }

  #grow(): void {
    const old = this.#buffer;
    this.#slots *= 2;
    this.#buffer = Buffer.alloc(this.#slots * this.#slotBytes);
    this.#size = 0;
    for (const [key, value] of this.#entriesOf(old)) this.set(key, value);
  }
}
