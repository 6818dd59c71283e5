// Where the sources lie that infra/ bundles: it names them by path and never imports them.
import { fileURLToPath } from 'node:url';

/** Without a "/" at its end. */
export const PROJECT_ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
