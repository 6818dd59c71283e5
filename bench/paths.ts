// Where the benchmarks keep what they make: all below .cache/bench, which git does not know.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, '.cache', 'bench');

/** A path below `bench/`. */
export const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** A path below the cache directory. */
export const cached = (...path: string[]) => join(cache, ...path);
