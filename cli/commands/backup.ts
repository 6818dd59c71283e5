// `ringvault backup <cluster>`: starts a backup and watches it.
import type { BackupKind } from '../../contracts/identifiers.ts';
import type { BackupRequest } from '../../contracts/requests.ts';
import type { Selection } from '../../contracts/selection.ts';
import type { Answer } from '../answer.ts';
import type { Session } from '../deployment.ts';
import { startRun } from '../start.ts';

interface BackupOptions extends Selection {
  wait: boolean;
  kind: BackupKind;
  /** Of an incremental. */
  base?: string;
}

/** @throws what the workflow was refused with, or failed with, is in the answer */
export function backup(
  session: Session,
  clusterId: string,
  { wait, kind, ...chosen }: BackupOptions,
): Promise<Answer> {
  const request: BackupRequest = { clusterId, kind, ...chosen };
  return startRun(session, 'backup', request, wait);
}
