// What a command answers: the same facts for a program and for a person, and how the program ends.
import type { RingvaultError } from '../contracts/errors.ts';

export interface Answer {
  /** The one JSON document of `--json`. */
  document: Record<string, unknown>;
  /** For people. */
  text: string;
  /** What the command was asked for did not come about: decides the exit code, and is told on stderr. */
  error?: RingvaultError;
  /** Where it is neither success nor an error of ours. */
  exitCode?: number;
}

/** Ended by SIGINT, as shells say it: whoever watched stopped watching, or a download was stopped. */
export const EXIT_INTERRUPTED = 130;
