// check-loader: whatever refuses a load on this host, found before anything is changed.
import type { ActionOutput } from '../../contracts/actions.ts';
import { mustHaveLoader } from '../cassandra/bulk-loader.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';

export async function checkLoader(context: ActionContext): Promise<ActionOutput<'check-loader'>> {
  await mustBeAllowed(context);
  await mustHaveLoader(context);
  return {};
}
