// Schedule expressions, refused as EventBridge refuses them.
import { timetableOf as parsedTimetable, type Timetable } from '../../contracts/timetable.ts';
import { ServiceError } from '../endpoint/service.ts';

export type { Timetable };

/**
 * @param startsAt what a rate counts from
 * @throws ServiceError ValidationException
 */
export function timetableOf(expression: string, timeZone: string, startsAt: Date): Timetable {
  try {
    return parsedTimetable(expression, timeZone, startsAt);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ServiceError('ValidationException', `Invalid Schedule Expression ${cause.message}`);
  }
}
