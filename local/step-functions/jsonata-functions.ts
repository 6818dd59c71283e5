// The functions that AWS adds to JSONata, and those of JSONata that would look past our ports at time and chance.
import { createHash } from 'node:crypto';
import jsonata from 'jsonata';
import type { StepFunctionsPorts } from './ports.ts';

const hashNames: Record<string, string> = {
  MD5: 'md5',
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

type NativeFunction = (...parameters: unknown[]) => unknown;

/** Bound by name for every evaluation. @see Step Functions Developer Guide, "Transforming data with JSONata" */
export function stepFunctionsFunctions(
  ports: Pick<StepFunctionsPorts, 'clock' | 'random' | 'newId'>,
): Record<string, NativeFunction> {
  return {
    partition,
    range,
    hash,
    parse,
    uuid: () => ports.newId(),
    random: (seed) => {
      if (seed !== undefined) throw new Error('$random: a seed is not implemented by the local interpreter');
      return ports.random.next();
    },
    eval: () => {
      throw new Error('$eval is not available in Step Functions');
    },
    shuffle: (list) => shuffled(list, () => ports.random.next()),
    millis: () => ports.clock.now().getTime(),
    now: (picture, timezone) =>
      formatMillis.evaluate(undefined, { millis: ports.clock.now().getTime(), picture, timezone }),
  };
}

const formatMillis = jsonata('$fromMillis($millis, $picture, $timezone)');

function partition(list: unknown, size: unknown): unknown {
  if (list === undefined) return undefined;
  const chunk = wholeNumber('$partition', 'size', size);
  if (chunk < 1) throw new Error(`$partition: size must be at least 1, got ${chunk}`);
  const items = Array.isArray(list) ? list : [list];
  const chunks: unknown[][] = [];
  for (let start = 0; start < items.length; start += chunk) chunks.push(items.slice(start, start + chunk));
  return chunks;
}

function range(first: unknown, last: unknown, step: unknown): number[] {
  const [from, to, by] = [
    wholeNumber('$range', 'first', first),
    wholeNumber('$range', 'last', last),
    wholeNumber('$range', 'step', step),
  ];
  if (by === 0) throw new Error('$range: step must not be 0');
  const length = Math.max(0, Math.floor((to - from) / by) + 1);
  if (length > 1000) throw new Error(`$range: at most 1000 numbers, got ${length}`);
  return Array.from({ length }, (_, index) => from + index * by);
}

function hash(content: unknown, algorithm: unknown): unknown {
  if (content === undefined) return undefined;
  const name = typeof algorithm === 'string' ? hashNames[algorithm] : undefined;
  if (typeof content !== 'string' || !name) {
    throw new Error(`$hash expects a string and one of ${Object.keys(hashNames).join(', ')}`);
  }
  return createHash(name).update(content).digest('hex');
}

function parse(text: unknown): unknown {
  if (text === undefined) return undefined;
  if (typeof text !== 'string') throw new Error(`$parse expects a string, got ${typeof text}`);
  return JSON.parse(text);
}

function shuffled(list: unknown, random: () => number): unknown {
  if (!Array.isArray(list)) return list;
  const result = [...list];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other], result[last]];
  }
  return result;
}

function wholeNumber(of: string, parameter: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw new Error(`${of}: ${parameter} must be a whole number, got ${JSON.stringify(value)}`);
  }
  return value;
}
