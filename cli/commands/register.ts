// `ringvault register <cluster>`: discovers what the cluster is, and keeps it; again, to bring it up to date.
import type { RegisterRequest } from '../../contracts/requests.ts';
import type { Answer } from '../answer.ts';
import type { Session } from '../deployment.ts';
import { startRun } from '../start.ts';

interface RegisterOptions {
  /** Instance whose view of the ring counts. */
  seed?: string;
  wait: boolean;
}

/** @throws what the workflow was refused with, or failed with, is in the answer */
export function register(session: Session, clusterId: string, options: RegisterOptions): Promise<Answer> {
  const { seed, wait } = options;
  const request: RegisterRequest = {
    ...{ clusterId, operation: 'register' },
    ...(seed && { seedInstanceId: seed }),
  };
  return startRun(session, 'register', request, wait);
}
