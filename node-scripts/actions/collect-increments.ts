// collect-increments: what was flushed, streamed or imported since the backup before, whole and all of it, out of Cassandra's
// way. Where it cannot be all of it, each reason is told and nothing is taken.
import { join } from 'node:path';
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { withCql } from '../cassandra/cql.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import { incrementalBackups, nodetool } from '../cassandra/nodetool.ts';
import { seenAfter } from '../cassandra/seen-after.ts';
import { readTruncations, withoutCommitLog, withoutIncrementalBackups } from '../cassandra/table-state.ts';
import type { ActionContext } from '../context.ts';
import { isThere, writeDurably } from '../durable-files.ts';
import { forget, type Memory, recall } from '../increments/memory.ts';
import { takeIncrements } from '../increments/take.ts';
import { clockOffset } from './snapshot.ts';

type Input = ActionInput<'collect-increments'>;

/** Of many more nobody reads the names. */
const GAPS_TOLD = 5;

export async function collectIncrements(
  context: ActionContext,
  input: Input,
): Promise<ActionOutput<'collect-increments'>> {
  const clockOffsetMs = await clockOffset(context);
  const startedAt = context.clock.now().toISOString();
  const turnedOn = await turnOn(context);
  // What is acknowledged by now is in it, however long the flush of all nodes before took.
  if (!turnedOn) await nodetool(context, 'flush');
  const taken = turnedOn
    ? { ...NOTHING, gaps: ['incremental backups were off; they are on now'] }
    : await take(context, input);
  const doneAt = context.clock.now().toISOString();
  const times = { askedAt: startedAt, startedAt, doneAt, clockOffsetMs };
  return { times, ...(await seenAfter(context)), turnedOn, ...taken };
}

type Taken = Pick<ActionOutput<'collect-increments'>, 'gaps' | 'sstables' | 'unfinished'>;
const NOTHING: Taken = { gaps: [], sstables: 0, unfinished: 0 };

/** What the host remembers is of a time when they were on; forgotten first, so that no retry takes it for unbroken. */
async function turnOn(context: ActionContext): Promise<boolean> {
  const marker = join(context.directory, 'turned-on');
  if (!(await incrementalBackups(context))) {
    await writeDurably(marker, context.clock.now().toISOString());
    await forget(context);
    await nodetool(context, 'enablebackup');
    context.log.warn('incremental backups were off and are turned on');
  }
  return isThere(marker);
}

async function take(context: ActionContext, input: Input): Promise<Taken> {
  if (!input.baseId || !input.previousId) return NOTHING;
  const previous = await recall(context, input.previousId);
  if (!previous) {
    const why = 'incremental backups were off when it was taken, or the host lost its state';
    return { ...NOTHING, gaps: [`this host remembers nothing of backup ${input.previousId}: ${why}`] };
  }
  const { data } = await nodeDirectories(context);
  const [truncated, off, undurable] = await withCql(context, (cql) =>
    Promise.all([readTruncations(cql), withoutIncrementalBackups(cql), withoutCommitLog(cql)]),
  );
  const gaps = gapsOfTables(input, previous, { truncated, off });
  if (data.join('\n') !== previous.dataDirectories.join('\n'))
    gaps.push(`data directories: got ${data.join(', ')}, before ${previous.dataDirectories.join(', ')}`);
  if (gaps.length > 0) return { ...NOTHING, gaps: shortened(gaps) };

  const { hostId, tables } = input;
  const options = { hostId, tables, dataDirectories: data, previous, undurable };
  const found = await takeIncrements(context, options, truncated);
  return { ...NOTHING, ...found, gaps: shortened(found.gaps) };
}

/** Which of them did without incremental backups, or lost what the backups before hold. */
function gapsOfTables(
  { tables }: Input,
  previous: Memory,
  now: { truncated: Record<string, string>; off: Set<string> },
): string[] {
  return tables.flatMap(({ keyspace, table, tableId }) => [
    ...(now.off.has(`${keyspace}.${table}`)
      ? [`${keyspace}.${table}: its own setting incremental_backups is false`]
      : []),
    ...(now.truncated[tableId] === previous.truncated[tableId] ? [] : [`${keyspace}.${table} was truncated`]),
  ]);
}

function shortened(gaps: readonly string[]): string[] {
  const rest = gaps.length - GAPS_TOLD;
  return rest > 0 ? [...gaps.slice(0, GAPS_TOLD), `and ${rest} more`] : [...gaps];
}
