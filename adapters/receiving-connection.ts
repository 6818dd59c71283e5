// One HTTP/1.1 connection on which bodies are received into memory that is used again: what Node's client costs more is a
// buffer and a copy for each piece, and a stream of streams around them.
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

const CONNECT_MS = 10_000;
/** A server that falls silent counts as a broken connection. */
const SILENT_MS = 60_000;
const HEAD_BYTES = 64 * 1024;
const END_OF_HEAD = '\r\n\r\n';

/** What is read is handed over before anything else is read: one for all connections of a thread. */
const memory = Buffer.allocUnsafeSlow(256 * 1024);

export interface Head {
  statusCode: number;
  headers: Record<string, string>;
}

/** The bytes are others when it has returned. A promise says when more may come. */
export type Take = (bytes: Buffer) => void | Promise<void>;

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/** The connection broke, before the answer or in its midst. */
export class ConnectionBroken extends Error {
  override readonly name = 'TimeoutError';
}

export class ReceivingConnection {
  readonly #socket: Socket;
  #waiting: Waiting | undefined;
  #head: Buffer[] | undefined;
  /** Of the body, what came with the head. */
  #early: Buffer = Buffer.alloc(0);
  #left = 0;
  #take: Take | undefined;
  isBroken = false;

  private constructor(url: URL) {
    const onread = { buffer: memory, callback: (length: number) => this.#onRead(memory.subarray(0, length)) };
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const servername = isIP(host) ? '' : host;
    const isTls = url.protocol === 'https:';
    const options = { host, port: Number(url.port || (isTls ? 443 : 80)), onread };
    this.#socket = isTls ? connectTls({ ...options, servername }) : connectPlain(options);
    this.#socket.setNoDelay(true);
    this.#socket.on('error', (cause) => this.#fail(new ConnectionBroken(cause.message, { cause })));
    this.#socket.on('close', () => this.#fail(new ConnectionBroken('the connection was closed')));
    this.#socket.on('timeout', () => this.destroy(new ConnectionBroken('the server fell silent')));
  }

  static async open(url: URL): Promise<ReceivingConnection> {
    const connection = new ReceivingConnection(url);
    const socket = connection.#socket;
    socket.setTimeout(CONNECT_MS);
    await connection.#until(() =>
      socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => connection.#succeed()),
    );
    socket.setTimeout(SILENT_MS);
    return connection;
  }

  /** Nothing of it keeps the process alive while it waits for its next request. */
  rest(): void {
    this.#socket.setTimeout(0);
    this.#socket.unref();
  }

  /** @param request with its empty line @throws ConnectionBroken */
  async request(request: string): Promise<Head> {
    this.#socket.ref();
    this.#socket.setTimeout(SILENT_MS);
    const head: Buffer[] = [];
    this.#head = head;
    await this.#until(() => {
      this.#socket.write(request, 'latin1');
      this.#socket.resume();
    });
    const bytes = Buffer.concat(head);
    const end = bytes.indexOf(END_OF_HEAD);
    this.#early = bytes.subarray(end + END_OF_HEAD.length);
    return parseHead(bytes.toString('latin1', 0, end));
  }

  /** The body of the answer. Afterwards there may be another request. @throws ConnectionBroken, what `take` throws */
  async receive(length: number, take: Take): Promise<void> {
    this.#left = length;
    this.#take = take;
    await this.#until(() => {
      const early = this.#early;
      this.#early = Buffer.alloc(0);
      if ((early.length === 0 && length > 0) || this.#onBody(early)) this.#socket.resume();
    });
  }

  destroy(error: Error): void {
    this.#fail(error);
    this.#socket.destroy();
  }

  /** @returns whether the next bytes may come now */
  #onRead(bytes: Buffer): boolean {
    if (this.#head) return this.#onHead(this.#head, bytes);
    if (this.#take) return this.#onBody(bytes);
    this.destroy(new ConnectionBroken(`got ${bytes.length} bytes that nobody asked for`));
    return false;
  }

  #onHead(head: Buffer[], bytes: Buffer): boolean {
    head.push(Buffer.from(bytes));
    const all = head.length === 1 ? (head[0] ?? bytes) : Buffer.concat(head);
    if (!all.includes(END_OF_HEAD)) {
      if (all.length < HEAD_BYTES) return true;
      this.destroy(new ConnectionBroken(`got ${all.length} bytes without the end of the answer's headers`));
      return false;
    }
    this.#head = undefined;
    this.#succeed();
    return false;
  }

  #onBody(bytes: Buffer): boolean {
    if (bytes.length > this.#left) {
      this.destroy(new ConnectionBroken(`got ${bytes.length - this.#left} bytes more than the answer has`));
      return false;
    }
    this.#left -= bytes.length;
    let next: void | Promise<void>;
    try {
      next = bytes.length > 0 ? this.#take?.(bytes) : undefined;
    } catch (error) {
      this.destroy(error as Error);
      return false;
    }
    if (this.#left === 0) this.#take = undefined;
    if (!next) return this.#goOn();
    next.then(
      () => {
        if (this.#goOn()) this.#socket.resume();
      },
      (error: Error) => this.destroy(error),
    );
    return false;
  }

  /** @returns whether more is to come */
  #goOn(): boolean {
    if (this.#left > 0) return true;
    this.#succeed();
    return false;
  }

  #until(begin: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (this.isBroken) this.#fail(new ConnectionBroken('the connection was closed'));
      else begin();
    });
  }

  #succeed(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
  }

  #fail(error: Error): void {
    this.isBroken = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}

function parseHead(text: string): Head {
  const [status = '', ...lines] = text.split('\r\n');
  const statusCode = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(status)?.[1]);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf(':');
    if (at > 0) headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
  }
  return { statusCode, headers };
}
