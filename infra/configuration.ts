// Reads ringvault.yaml at synth. An error names the path in the file, what it got and what it expects.
import { readFileSync } from 'node:fs';
import { parseDocument as parseYaml } from 'yaml';
import { z } from 'zod';
import {
  isPlannedKey,
  type RingvaultConfiguration,
  ringvaultConfiguration,
} from '../contracts/configuration.ts';
import { describeIssues } from '../contracts/documents.ts';
import { InvalidConfiguration } from '../contracts/errors.ts';
import { timetableOf } from '../contracts/timetable.ts';

/** @throws InvalidConfiguration */
export function readConfiguration(path: string): RingvaultConfiguration {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new InvalidConfiguration(`${path} cannot be read, expected the configuration`, { cause });
  }
  return parseConfiguration(text, path);
}

/**
 * @param what names the text in errors
 * @throws InvalidConfiguration
 */
export function parseConfiguration(text: string, what = 'ringvault.yaml'): RingvaultConfiguration {
  const document = parseYaml(text, { uniqueKeys: true });
  const [syntaxError] = document.errors;
  if (syntaxError) throw new InvalidConfiguration(`${what}: ${syntaxError.message}`, { cause: syntaxError });
  const value: unknown = document.toJS();
  const parsed = ringvaultConfiguration.safeParse(value, { reportInput: true });
  if (!parsed.success) {
    const explained = new z.ZodError(parsed.error.issues.flatMap(explain));
    throw new InvalidConfiguration(`${what}:\n${describeIssues(explained)}`, { cause: parsed.error });
  }
  const unknown = scheduleIssues(parsed.data);
  if (unknown.length > 0) throw new InvalidConfiguration(`${what}:\n${unknown.join('\n')}`);
  return parsed.data;
}

/** Deployed, a schedule that nobody can reckon would be refused by EventBridge, or its missed runs found by nobody. */
function scheduleIssues({ clusters }: RingvaultConfiguration): string[] {
  return Object.entries(clusters).flatMap(([id, { schedules }]) =>
    schedules.flatMap(({ expression, timezone }, index) => {
      const path = `clusters.${id}.schedules[${index}].expression`;
      try {
        timetableOf(expression, timezone, new Date(0))(new Date(0));
        return [];
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        return [`${path}: got ${error.message}`];
      }
    }),
  );
}

function explain(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      ...issue,
      path: [...issue.path, key],
      message: isPlannedKey(key)
        ? 'not implemented yet, expected to be left out'
        : 'got a key that is not known, expected to be left out',
    }));
  }
  if (issue.code === 'custom' || issue.input === undefined) return [issue];
  const message = issue.message.replace(/^Invalid[^:]*: /, '');
  const expected = message.startsWith('expected') ? message : `expected ${message}`;
  return [{ ...issue, message: `got ${JSON.stringify(issue.input)}, ${expected}` }];
}
