// snapshot: waits for the rendezvous, snapshots everything in one call, then looks whether ring and schema are as before.
import { join } from 'node:path';
import { z } from 'zod';
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { parseDocument } from '../../contracts/documents.ts';
import { InvalidDocument, NodetoolFailed, PauseExceeded, VaultUnavailable } from '../../contracts/errors.ts';
import { snapshotTimes } from '../../contracts/manifests.ts';
import { BACKED_UP_SYSTEM_KEYSPACES, isSystemKeyspace } from '../../contracts/ring.ts';
import { withCql } from '../cassandra/cql.ts';
import { nodetool, tryNodetool } from '../cassandra/nodetool.ts';
import { readKeyspaces } from '../cassandra/schema.ts';
import { seenAfter } from '../cassandra/seen-after.ts';
import type { ActionContext } from '../context.ts';
import { readIfThere, writeDurably } from '../durable-files.ts';
import { noteBefore } from '../increments/note-before.ts';
import { mustBeTagOf } from './clear-snapshot.ts';

const taken = z.strictObject({ times: snapshotTimes, late: z.boolean(), incrementalBackups: z.boolean() });
type Taken = z.infer<typeof taken>;

export async function snapshot(
  context: ActionContext,
  input: ActionInput<'snapshot'>,
): Promise<ActionOutput<'snapshot'>> {
  mustBeTagOf(context.document.runId, input.tag);
  const { times, late, incrementalBackups } = (await readTaken(context)) ?? (await take(context, input));
  return { tag: input.tag, times, late, ...(await seenAfter(context)), incrementalBackups };
}

const takenPath = (context: ActionContext) => join(context.directory, 'taken.json');

/** Of an earlier attempt that was killed after the snapshot was whole. */
async function readTaken(context: ActionContext): Promise<Taken | undefined> {
  const content = await readIfThere(takenPath(context));
  return content === undefined ? undefined : parseDocument(taken, content, takenPath(context));
}

async function take(
  context: ActionContext,
  { tag, at, keyspaces, notAfter }: ActionInput<'snapshot'>,
): Promise<Taken> {
  const existing = await withCql(context, readKeyspaces);
  const systemKeyspaces: readonly string[] = BACKED_UP_SYSTEM_KEYSPACES;
  const wanted = existing.filter((name) =>
    isSystemKeyspace(name) ? systemKeyspaces.includes(name) : (keyspaces?.includes(name) ?? true),
  );
  const incrementalBackups = await noteBefore(context);
  const clockOffsetMs = await clockOffset(context);
  const { clock, signal } = context;
  const waitMs = new Date(at).getTime() + clockOffsetMs - clock.now().getTime();
  if (waitMs > 0) await clock.sleep(waitMs, signal);
  signal.throwIfAborted();
  const startedAt = clock.now().toISOString();
  refuseAfter(notAfter, new Date(clock.now().getTime() - clockOffsetMs).toISOString());
  await takeOnce(context, tag, wanted);
  const times = { askedAt: at, startedAt, doneAt: clock.now().toISOString(), clockOffsetMs };
  const result: Taken = { times, late: waitMs < 0, incrementalBackups };
  await writeDurably(takenPath(context), JSON.stringify(result));
  return result;
}

/** @param now by S3's clock */
function refuseAfter(notAfter: string | undefined, now: string): void {
  if (notAfter === undefined || now <= notAfter) return;
  throw new PauseExceeded(`got to the snapshot at ${now}, expected it before the pause ended at ${notAfter}`);
}

/** An attempt that was killed may have left a part of this very snapshot: it is taken anew. */
async function takeOnce(context: ActionContext, tag: string, keyspaces: string[]): Promise<void> {
  const arguments_ = ['snapshot', '-t', tag, ...keyspaces];
  const result = await tryNodetool(context, ...arguments_);
  if (!result.failed) return;
  if (!result.lastWords.includes(`Snapshot ${tag} already exists`)) {
    throw new NodetoolFailed(
      `${result.command}: exit code ${result.exitCode ?? 'none'}: ${result.lastWords}`,
    );
  }
  await context.beforeDestroying(`clear the unfinished snapshot ${tag}`);
  await nodetool(context, 'clearsnapshot', '-t', tag);
  await nodetool(context, ...arguments_);
}

/**
 * The host's clock minus the vault's, in milliseconds. The vault tells whole seconds: of the offsets that are possible,
 * the one nearest to zero is taken.
 */
export async function clockOffset({
  store,
  layout,
  instanceArn,
  document,
  clock,
}: ActionContext): Promise<number> {
  const key = layout.action(instanceArn, document.actionId);
  const before = clock.now().getTime();
  const stored = await store.get(key);
  const after = clock.now().getTime();
  if (!stored) throw new InvalidDocument(`${key}: it is gone`);
  const served = stored.servedAt.getTime();
  if (Number.isNaN(served)) throw new VaultUnavailable(`${key}: S3 answered without a Date`);
  return Math.round(Math.max(0, before - (served + 1_000)) + Math.min(0, after - served));
}
