// Where the shared installation lies: an own one for each checkout, so that two runs of the tests do not meet.
import { fileURLToPath } from 'node:url';

export const STATE_DIRECTORY = fileURLToPath(new URL('../../.local/end-to-end', import.meta.url));
