// Test levers: RINGVAULT_FAIL_POINT=<name>:<kill|fail|hang>, several separated by commas. Each acts once an action, so that
// a retry gets past it. `hang` lasts until a later attempt takes the action over.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UnexpectedError } from '../contracts/errors.ts';
import { errorCode } from './durable-files.ts';

export type FailPointName =
  | 'collect.file'
  | 'release.file'
  | 'upload.object'
  | 'upload.listing-put'
  | 'upload.header-put'
  | 'download.file'
  | 'import.table'
  | 'load.batch'
  | 'place.table'
  | 'put-back.table'
  | 'stop.drained'
  | 'repair.keyspace'
  | 'heartbeat';

export interface FailPoints {
  /** Fails, ends the process, or says that the caller is to hang. */
  reach(name: FailPointName): Promise<'go-on' | 'hang'>;
}

/** @param setting the environment variable @param actionDirectory remembers what acted */
export function failPoints(setting: string | undefined, actionDirectory: string): FailPoints {
  const modes = new Map(
    (setting ?? '').split(',').flatMap((each) => {
      const [name, mode] = each.split(':');
      return name && mode ? [[name.trim(), mode.trim()] as const] : [];
    }),
  );
  return {
    async reach(name) {
      const mode = modes.get(name);
      if (!mode || !(await isFirstTime(actionDirectory, name))) return 'go-on';
      if (mode === 'kill') process.kill(process.pid, 'SIGKILL');
      if (mode === 'fail') throw new UnexpectedError(`fail point ${name}`);
      return 'hang';
    },
  };
}

async function isFirstTime(actionDirectory: string, name: string): Promise<boolean> {
  try {
    await mkdir(actionDirectory, { recursive: true });
    await writeFile(join(actionDirectory, `fail-point-${name}`), '', { flag: 'wx' });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}
