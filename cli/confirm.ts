// A command that changes a cluster's data asks first: the cluster ID, typed in full.
import { NotConfirmed } from '../contracts/errors.ts';
import type { Terminal } from './terminal.ts';

/**
 * @param consequence what will happen, for people
 * @throws NotConfirmed where the answer is anything else, or nobody can be asked
 */
export async function confirm(
  terminal: Terminal,
  clusterId: string,
  consequence: string,
  yes = false,
): Promise<void> {
  if (yes) return;
  if (!terminal.interactive) {
    throw new NotConfirmed(`there is no terminal to ask on, expected --yes: ${consequence}`);
  }
  terminal.note(consequence);
  const typed = (await terminal.ask(`Type the cluster ID (${clusterId}) to go on: `))?.trim();
  if (typed === undefined) throw new NotConfirmed(`got no answer, expected "${clusterId}"`);
  if (typed !== clusterId) {
    throw new NotConfirmed(`got "${typed}", expected "${clusterId}"`);
  }
}
