// Which of those that could not be resumed are gone: that nobody answers may as well be our network.
import { ApplicationsUnknown } from '../../contracts/errors.ts';
import {
  type Application,
  type ApplicationAnswer,
  type ApplicationsRequest,
  sameApplication,
} from '../../contracts/pause.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

interface Asked {
  clusterId: string;
  hook: ApplicationsRequest['hook'];
  /** Another was resumed meanwhile: the network works. */
  reached: boolean;
}
type Ports = Pick<StepPorts, 'applications'>;

/**
 * Who has lost its address to another process, as it had the service when it was paused; and who cannot be reached where
 * another can (by gRPC), or is not named any more.
 */
export async function whoIsGone(
  left: readonly ApplicationAnswer[],
  asked: Asked,
  ports: Ports,
): Promise<(each: ApplicationAnswer) => boolean> {
  // Run Command reaches an agent: that one is away says nothing of the applications beside it.
  const doubted = !asked.reached || asked.hook.command !== undefined;
  const inDoubt = doubted && left.some(({ answer }) => answer === 'unreachable');
  const named = inDoubt ? await findNamed(asked, ports) : [];
  return ({ application, answer }) => {
    if (answer === 'unsupported') return true;
    if (answer !== 'unreachable' || !named) return false;
    return !named.some((each) => sameApplication(each, application));
  };
}

/** Undefined where DNS does not say: then all may be there still. SSM says, or the step is tried again. */
async function findNamed(
  { clusterId, hook }: Asked,
  { applications }: Ports,
): Promise<readonly Application[] | undefined> {
  try {
    return (await applications.ask(clusterId, { call: 'discover', hook })).found;
  } catch (unknown) {
    if (unknown instanceof ApplicationsUnknown) return undefined;
    throw unknown;
  }
}
