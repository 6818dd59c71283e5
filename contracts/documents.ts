// Reading documents that cross a boundary: one way to parse, one way to refuse.
import type { z } from 'zod';
import { InvalidDocument, NewerFormat } from './errors.ts';

/** Every persisted document carries it; raised when a reader of the version before would misread the document. */
export const FORMAT_VERSION = 1;

/** `clusters.demo.schedules[0].kind: expected "snapshot", got "hourly"`, one line an issue. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .map((issue) => {
      const path = issue.path
        .map((part, index) =>
          typeof part === 'number' ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`,
        )
        .join('');
      return `${path || '(document)'}: ${issue.message}`;
    })
    .join('\n');
}

/** Undefined where it is none; for what is checked by a schema next. */
export function jsonIfAny(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Parses a stored JSON document.
 * @param what names the document in errors, e.g. its S3 key
 * @throws NewerFormat, InvalidDocument
 */
export function parseDocument<Schema extends z.ZodType>(
  schema: Schema,
  json: string,
  what: string,
): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new InvalidDocument(`${what} is not JSON`, { cause });
  }
  const version = (value as { formatVersion?: unknown } | null)?.formatVersion;
  if (typeof version === 'number' && version > FORMAT_VERSION) {
    throw new NewerFormat(
      `${what} has format version ${version}; this Ringvault reads up to ${FORMAT_VERSION}`,
    );
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw new InvalidDocument(`${what}: ${describeIssues(parsed.error)}`, { cause: parsed.error });
  return parsed.data;
}
