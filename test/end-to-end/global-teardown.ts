// After the last end-to-end test: nodes, servers and Lambdas have ended with the worker that started them; host programs,
// which are detached from everything, are ended here.
import { join } from 'node:path';
import { killProcessesBelow } from '../../local/hosts/processes.ts';
import { STATE_DIRECTORY } from './state-directory.ts';

export async function teardown(): Promise<void> {
  await killProcessesBelow(join(STATE_DIRECTORY, 'cloud', 'hosts'));
}
