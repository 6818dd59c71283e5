// When a schedule is due: EventBridge's rate(), cron() and at() expressions, as Scheduler and rules take them.
import { Cron } from 'croner';

/** The first moment that is due after `after`; undefined: never again. */
export type Timetable = (after: Date) => Date | undefined;

const UNIT_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
/** Of minutes, hours, days of the month, months, days of the week, years. */
const MOST = [59, 23, 31, 12, 7, 2199];

/**
 * @param startsAt what a rate counts from
 * @throws RangeError naming what is wrong with the expression
 */
export function timetableOf(expression: string, timeZone: string, startsAt: Date): Timetable {
  const [, kind, inner] = /^(cron|at)\((.+)\)$/.exec(expression.trim()) ?? [];
  if (kind === 'cron' && inner) return cron(expression, inner, timeZone);
  if (kind === 'at' && inner) return at(expression, inner, timeZone);
  const every = rateOf(expression);
  if (every === undefined) throw invalid(expression, 'expected rate(…), cron(…) or at(…)');
  return (after) => {
    const passed = Math.floor((after.getTime() - startsAt.getTime()) / every);
    return new Date(startsAt.getTime() + (Math.max(0, passed) + 1) * every);
  };
}

/** Milliseconds between two times of a rate; undefined for other expressions. @throws RangeError */
export function rateOf(expression: string): number | undefined {
  const [, inner] = /^rate\((.+)\)$/.exec(expression.trim()) ?? [];
  if (inner === undefined) return undefined;
  const [, value, unit] = /^(\d+) (minute|hour|day)s?$/.exec(inner) ?? [];
  const milliseconds = Number(value) * (UNIT_MS[unit as keyof typeof UNIT_MS] ?? 0);
  if (!milliseconds) throw invalid(expression, 'expected rate(5 minutes), rate(1 hour) or the like');
  return milliseconds;
}

/** Six fields: minutes hours day-of-month month day-of-week year; Sunday is 1. */
function cron(expression: string, inner: string, timeZone: string): Timetable {
  const fields = inner.trim().split(/\s+/);
  const [, , dayOfMonth, , dayOfWeek] = fields;
  if (fields.length !== 6) throw invalid(expression, `got ${fields.length} fields, expected six`);
  if ((dayOfMonth === '?') === (dayOfWeek === '?')) {
    throw invalid(expression, 'expected "?" for either the day of the month or the day of the week');
  }
  const pattern = ['0', ...fields.map(withStepEnd)].join(' ');
  const options = { mode: '7-part', alternativeWeekdays: true, domAndDow: true, paused: true } as const;
  const job = attempt(expression, () => new Cron(pattern, { ...options, timezone: timeZone }));
  return (after) => {
    // A time that the clocks jump over in spring is skipped, not moved.
    let next = job.nextRun(after);
    while (next && !job.match(next)) next = job.nextRun(next);
    return next ?? undefined;
  };
}

/** AWS writes `0/15`, croner `0-59/15`. */
function withStepEnd(field: string, index: number): string {
  return field.replaceAll(/(^|,)(\d+)\//g, `$1$2-${MOST[index]}/`);
}

function at(expression: string, inner: string, timeZone: string): Timetable {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(inner))
    throw invalid(expression, 'expected at(yyyy-mm-ddThh:mm:ss)');
  const job = attempt(expression, () => new Cron(inner, { paused: true, timezone: timeZone }));
  return (after) => job.nextRun(after) ?? undefined;
}

function attempt<Result>(expression: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    throw invalid(expression, cause instanceof Error ? cause.message : String(cause));
  }
}

function invalid(expression: string, why: string): RangeError {
  return new RangeError(`${expression}: ${why}`);
}
