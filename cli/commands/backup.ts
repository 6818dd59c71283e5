// `ringvault backup <cluster>`: starts a backup and watches it.
import type { BackupRequest } from '../../contracts/requests.ts';
import type { Answer } from '../answer.ts';
import type { Session } from '../deployment.ts';
import { startRun } from '../start.ts';

/** @throws what the workflow was refused with, or failed with, is in the answer */
export function backup(session: Session, clusterId: string, { wait }: { wait: boolean }): Promise<Answer> {
  const request: BackupRequest = { clusterId, kind: 'snapshot' };
  return startRun(session, 'backup', request, wait);
}
