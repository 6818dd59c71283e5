// What is fetched or made once a machine, and kept.
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `RINGVAULT_CACHE`, or `~/.cache/ringvault`. */
export function cacheDirectory(): string {
  return process.env['RINGVAULT_CACHE'] ?? join(homedir(), '.cache', 'ringvault');
}

/** For the processes of Node that are started often: what V8 makes of their code is kept. */
export const COMPILE_CACHE = { NODE_COMPILE_CACHE: join(cacheDirectory(), 'compiled') };
