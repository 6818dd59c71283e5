// A disk on which the process dies at a chosen operation: from then on every change fails, so that what is on the disk is
// what a kill -9 at that moment leaves. For `vi.mock('node:fs/promises', …)`.
import type * as fsPromises from 'node:fs/promises';

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
const HANDLE_CHANGES = ['write', 'writeFile', 'truncate'] as const;
/** Left out, for speed: a killed process loses nothing that the kernel has. */
const SYNCS = ['sync', 'datasync'] as const;

export function fatalDisk(actual: typeof fsPromises): typeof fsPromises {
  const wrapped: Record<string, unknown> = { ...actual };
  for (const name of CHANGES) {
    const change = actual[name] as (...args: unknown[]) => Promise<unknown>;
    wrapped[name] = async (...args: unknown[]) => {
      spend();
      return change(...args);
    };
  }
  wrapped['open'] = async (...args: Parameters<typeof actual.open>) => {
    if (args[1] !== 'r') spend();
    const handle = await actual.open(...args);
    for (const name of HANDLE_CHANGES) mortal(handle, name);
    for (const name of SYNCS) Object.defineProperty(handle, name, { value: async () => undefined });
    return handle;
  };
  return wrapped as unknown as typeof fsPromises;
}

function mortal(handle: fsPromises.FileHandle, name: (typeof HANDLE_CHANGES)[number]): void {
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
