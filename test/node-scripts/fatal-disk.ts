// A disk on which the process dies at a chosen operation: from then on every change fails, so that what is on the disk is
// what a kill -9 at that moment leaves.
import fs, { promises } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

export class Killed extends Error {
  override readonly name = 'Killed';
}

let left = Number.POSITIVE_INFINITY;
let tear = false;

/** @param operations that still succeed @param torn the write that is the last one is only half done */
export function dieAfter(operations: number, torn = false): void {
  left = operations;
  tear = torn;
}
export function liveOn(): void {
  left = Number.POSITIVE_INFINITY;
}

function spend(): void {
  left -= 1;
  if (left < 0) throw new Killed('killed');
}

/** Making directories is left out: nothing is decided by an empty one. */
const CHANGES = ['rename', 'rm', 'rmdir', 'unlink', 'link', 'writeFile'] as const;
const OTHERS = ['mkdir', 'stat', 'lstat', 'readdir', 'readFile', 'chmod', 'chown'] as const;
const HANDLE_CHANGES = ['write', 'writeFile', 'truncate'] as const;
/** Left out, for speed: a killed process loses nothing that the kernel has. */
const SYNCS = ['sync', 'datasync'] as const;

/**
 * Puts the disk under every module of this process, whenever that was loaded. Below it everything is synchronous: a thread
 * for each of so many small operations costs more than they do.
 * @returns what takes the disk away again
 */
export function useFatalDisk(): () => void {
  const actual = { ...promises };
  for (const name of [...CHANGES, ...OTHERS]) {
    const operation = fs[`${name}Sync`] as (...args: unknown[]) => unknown;
    const isChange = CHANGES.some((each) => each === name);
    Object.assign(promises, {
      [name]: async (...args: unknown[]) => {
        if (isChange) spend();
        return operation(...args);
      },
    });
  }
  promises.open = async (...args) => {
    if (args[1] === 'r' && fs.statSync(args[0]).isDirectory()) return openedDirectory();
    if (args[1] !== 'r') spend();
    const handle = await actual.open(...args);
    for (const name of HANDLE_CHANGES) mortal(handle, name);
    for (const name of SYNCS) Object.defineProperty(handle, name, { value: async () => undefined });
    return handle;
  };
  syncBuiltinESMExports();
  return () => {
    Object.assign(promises, actual);
    syncBuiltinESMExports();
  };
}

/** A directory is opened to be synced and for nothing else. */
function openedDirectory(): FileHandle {
  const nothing = async () => undefined;
  return { sync: nothing, close: nothing } as unknown as FileHandle;
}

function mortal(handle: FileHandle, name: (typeof HANDLE_CHANGES)[number]): void {
  const change = (handle[name] as (...args: unknown[]) => Promise<unknown>).bind(handle);
  Object.defineProperty(handle, name, {
    value: async (...args: unknown[]) => {
      const [data] = args;
      if (left === 0 && tear && name === 'write' && typeof data === 'string') {
        await change(data.slice(0, Math.ceil(data.length / 2)));
      }
      spend();
      return change(...args);
    },
  });
}
