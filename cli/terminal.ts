// The terminal: text for people, one JSON document for programs, questions, and Ctrl-C. Used by every command.
import { createInterface } from 'node:readline/promises';

export interface Terminal {
  /** The answer: to stdout. */
  print(text: string): void;
  /** Everything else: to stderr. */
  note(text: string): void;
  /** True: somebody can be asked, and bars can be drawn on stderr. */
  interactive: boolean;
  stderr: NodeJS.WritableStream;
  /** Undefined: Ctrl-C or the end of the input instead of an answer. */
  ask(question: string): Promise<string | undefined>;
  /** Runs `work` with a signal that Ctrl-C aborts; a second Ctrl-C ends the program as usual. */
  interruptible<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
}

export function processTerminal(): Terminal {
  return {
    print: (text) => process.stdout.write(`${text}\n`),
    note: (text) => process.stderr.write(`${text}\n`),
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    stderr: process.stderr,
    ask: askOnStderr,
    interruptible: untilInterrupted,
  };
}

async function askOnStderr(question: string): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question);
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return undefined;
    throw error;
  } finally {
    lines.close();
  }
}

async function untilInterrupted<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const interrupt = () => controller.abort();
  process.once('SIGINT', interrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.removeListener('SIGINT', interrupt);
  }
}
