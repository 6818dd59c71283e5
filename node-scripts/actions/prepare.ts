// prepare: whether this host can run the host program, now that it runs; and a look at what earlier runs left on it.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { UnsupportedHost } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { forgetOldActions } from '../housekeeping.ts';

const LEAST_GLIBC = [2, 28] as const;

export async function prepare(
  context: ActionContext,
  input: ActionInput<'prepare'>,
): Promise<ActionOutput<'prepare'>> {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  const glibcVersion = report.header?.glibcVersionRuntime;
  if (process.platform !== 'linux' || process.arch !== input.architecture) {
    throw new UnsupportedHost(
      `got ${process.platform} ${process.arch}, expected linux ${input.architecture}`,
    );
  }
  if (!glibcVersion || !isRecent(glibcVersion)) {
    throw new UnsupportedHost(
      `got glibc ${glibcVersion ?? 'none'}, expected ${LEAST_GLIBC.join('.')} or later`,
    );
  }
  // No reason not to back up.
  await forgetOldActions(context).catch((error: unknown) =>
    context.log.warn({ err: error }, 'what earlier actions left was not deleted'),
  );
  return { architecture: process.arch, nodeVersion: process.version, glibcVersion };
}

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > LEAST_GLIBC[0] || (major === LEAST_GLIBC[0] && minor >= LEAST_GLIBC[1]);
}
