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
  return parsed.data;
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
