// `ringvault unregister <cluster>`: forgets what the cluster is, and none of its backups.
import type { RegisterRequest } from '../../contracts/requests.ts';
import type { Answer } from '../answer.ts';
import { confirm } from '../confirm.ts';
import type { Session } from '../deployment.ts';
import { requireRegistration } from '../lookup.ts';
import { startRun } from '../start.ts';

/** @throws UnknownCluster UnknownRegistration NotConfirmed */
export async function unregister(
  session: Session,
  clusterId: string,
  { yes, wait }: { yes?: boolean; wait: boolean },
): Promise<Answer> {
  const { clusterName, nodes } = await requireRegistration(session.deployment, clusterId);
  const consequence = `Forgets what cluster ${clusterId} is (${clusterName}, ${nodes} nodes). Its backups and its history stay, and its schedules go on.`;
  await confirm(session.terminal, clusterId, consequence, yes);
  const request: RegisterRequest = { clusterId, operation: 'unregister' };
  return startRun(session, 'register', request, wait);
}
