// Carries one action out: document, lock, work, result, answer. The order of the last steps is what makes it safe to be
// killed anywhere: the result is saved, then put into the vault, then the lock is given back, then the token is answered.
import type { Logger } from 'pino';
import type { Clock, DataKeys, TaskCallback } from '../adapters/ports.ts';
import { type ActionDocument, actionDocument, actions } from '../contracts/actions.ts';
import { describeIssues, parseDocument } from '../contracts/documents.ts';
import { InvalidDocument, RunEnded, tellError } from '../contracts/errors.ts';
import { vaultLayout } from '../contracts/layout.ts';
import type { Progress } from '../contracts/runs.ts';
import type { ActionContext, HostPorts } from './context.ts';
import { isThere } from './durable-files.ts';
import { failPoints } from './fail-points.ts';
import { handlers } from './handlers.ts';
import type { HostPaths } from './host-paths.ts';
import { forgetListings } from './housekeeping.ts';
import { tryLock } from './process-lock.ts';
import { type ProgressReporter, progressReporter } from './progress.ts';
import { readResult, saveResult } from './saved-result.ts';
import { Session } from './session.ts';

/** For work that is stopped; the end of the process ends what takes longer. */
const STOP_LIMIT_MS = 10_000;

export interface RunOptions extends HostPorts {
  dataKeys(clusterId: string): DataKeys;
  callback: TaskCallback;
  paths: HostPaths;
  log: Logger;
  prefix: string;
  instanceArn: string;
  runId: string;
  actionId: string;
  /** RINGVAULT_FAIL_POINT. */
  failPoint?: string;
  /** Called when the lock is taken, or was found held. */
  onLocked?(): Promise<void>;
}

export type RunOutcome = 'succeeded' | 'failed' | 'replayed' | 'held';

export async function runAction(options: RunOptions): Promise<RunOutcome> {
  const directory = options.paths.action(options.actionId);
  const lock = await tryLock(directory);
  await options.onLocked?.();
  if (lock === 'held') return 'held';
  let released = false;
  const release = async () => {
    if (!released) await lock.release();
    released = true;
  };
  try {
    const document = await readDocument(options);
    const saved = await readResult(directory);
    if (saved) {
      await storeResult(options, saved.output);
      await release();
      const told = await tellSuccess(options, document.taskToken, saved.output);
      options.log.info({ told }, 'saved success was told again');
      return 'replayed';
    }
    return await attempt(options, document, directory, release);
  } finally {
    await release();
  }
}

async function attempt(
  options: RunOptions,
  document: ActionDocument,
  directory: string,
  release: () => Promise<void>,
): Promise<RunOutcome> {
  const { callback, log, clock } = options;
  const progress = startProgress(options, document);
  const session = startSession(options, document, directory, progress);
  const startedAt = clock.now().getTime();
  try {
    const context = contextOf(options, document, directory, session, progress);
    session.open();
    const output = await untilStopped(clock, session.signal, carryOut(context, options));
    await saveResult(directory, output);
    await storeResult(options, output);
    await forgetListings(directory);
    await session.close();
    await progress.end('succeeded');
    await release();
    const told = await tellSuccess(options, session.token, output);
    log.info({ told, durationMs: clock.now().getTime() - startedAt }, 'action succeeded');
    return 'succeeded';
  } catch (error) {
    const told = tellError(error);
    log.error({ err: error, errorName: told.errorName, hint: told.hint }, 'action failed');
    await session.close();
    await progress.end('failed', told);
    await release();
    await callback.fail(session.token, told);
    return 'failed';
  }
}

/** A retry that came while the lock was held, and after the last look for it, has attached to this program. */
async function tellSuccess(options: RunOptions, token: string, output: unknown) {
  const { callback, log } = options;
  const told = await callback.succeed(token, output);
  if (told !== 'invalid-token') return told;
  const later = await readDocument(options).catch((error: unknown) => {
    log.warn({ err: error }, 'action document was not read');
    return undefined;
  });
  return later && later.taskToken !== token ? callback.succeed(later.taskToken, output) : told;
}

async function readDocument(options: RunOptions): Promise<ActionDocument> {
  const key = vaultLayout(options.prefix).action(options.instanceArn, options.actionId);
  const stored = await options.store.get(key);
  if (!stored) throw new InvalidDocument(`${key}: there is none, expected this action's document`);
  const document = parseDocument(actionDocument, stored.body.toString(), key);
  if (document.runId !== options.runId || document.actionId !== options.actionId) {
    throw new InvalidDocument(
      `${key}: got run ${document.runId}, action ${document.actionId}, expected ${options.runId}, ${options.actionId}`,
    );
  }
  return document;
}

async function carryOut(context: ActionContext, options: RunOptions): Promise<unknown> {
  const { document, paths, log } = context;
  if (await isThere(paths.endedMarker(options.runId))) {
    throw new RunEnded(`run ${options.runId} has ended; ${document.phase} was not begun`);
  }
  const schema = actions[document.action];
  const input = schema.input.safeParse(document.input);
  if (!input.success) {
    throw new InvalidDocument(`input of ${document.action}: ${describeIssues(input.error)}`);
  }
  log.info({ action: document.action, attempt: document.attempt }, 'action begins');
  // The table of handlers is typed by name; the name and its input were checked together just above.
  const handler = (await handlers[document.action]()) as (
    context: ActionContext,
    input: unknown,
  ) => Promise<unknown>;
  return schema.output.parse(await handler(context, input.data));
}

function startProgress(options: RunOptions, document: ActionDocument): ProgressReporter {
  const { store, clock, log, instanceArn, runId, actionId } = options;
  const key = vaultLayout(options.prefix).progress(instanceArn, actionId);
  const tell = async (current: Progress) => {
    try {
      await store.put(key, JSON.stringify(current), 'overwrite');
    } catch (error) {
      log.warn({ err: error }, 'progress was not written');
    }
  };
  return progressReporter({ tell, clock, runId, phase: document.phase });
}

function startSession(
  options: RunOptions,
  document: ActionDocument,
  directory: string,
  progress: ProgressReporter,
): Session {
  const { callback, clock, log, paths } = options;
  return new Session({
    document,
    readDocument: () => readDocument(options),
    callback,
    clock,
    log,
    progress,
    failPoints: failPoints(options.failPoint, directory),
    endedMarker: paths.endedMarker(options.runId),
    hostLock: paths.hostLock,
  });
}

function contextOf(
  options: RunOptions,
  document: ActionDocument,
  directory: string,
  session: Session,
  progress: ProgressReporter,
): ActionContext {
  const { store, openVault, secrets, clock, vault, paths, log, instanceArn } = options;
  const levers = failPoints(options.failPoint, directory);
  return {
    store,
    openVault,
    dataKeys: options.dataKeys(document.clusterId),
    secrets,
    clock,
    ...(vault && { vault }),
    document,
    instanceArn,
    paths,
    log,
    progress,
    directory,
    layout: vaultLayout(options.prefix),
    signal: session.signal,
    async failPoint(name) {
      if ((await levers.reach(name)) === 'hang') await session.hang();
    },
    beforeDestroying: (step) => session.beforeDestroying(step),
  };
}

async function storeResult(options: RunOptions, output: unknown): Promise<void> {
  const key = vaultLayout(options.prefix).result(options.instanceArn, options.actionId);
  await options.store.put(key, JSON.stringify(output), 'overwrite');
}

/** Rejects with the signal's reason when it is aborted, and gives the work a moment to see it first. */
async function untilStopped<Value>(clock: Clock, signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, stopped.promise]);
  } catch (error) {
    if (signal.aborted) await Promise.race([work.catch(() => undefined), clock.sleep(STOP_LIMIT_MS)]);
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
