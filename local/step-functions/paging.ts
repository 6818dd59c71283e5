// Pages of a list, as maxResults and nextToken ask for them.
import { ServiceError } from '../endpoint/service.ts';

const MOST = 1000;

/** A token says where the next page begins. @throws ServiceError InvalidToken */
export function pageOf<T>(
  all: readonly T[],
  request: { maxResults?: number | undefined; nextToken?: string | undefined },
  byDefault: number,
): { items: T[]; nextToken: string | undefined } {
  const start = request.nextToken === undefined ? 0 : offsetIn(request.nextToken);
  const end = start + Math.min(request.maxResults || byDefault, MOST);
  return {
    items: all.slice(start, end),
    nextToken: end < all.length ? Buffer.from(`page:${end}`).toString('base64') : undefined,
  };
}

function offsetIn(token: string): number {
  const offset = /^page:(\d+)$/.exec(Buffer.from(token, 'base64').toString())?.[1];
  if (offset === undefined) throw new ServiceError('InvalidToken', `Invalid Token: '${token}'`);
  return Number(offset);
}
