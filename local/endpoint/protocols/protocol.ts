// What the JSON, query and REST-JSON protocols have in common: find the operation, check its input, run it.
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { type CallContext, type Operation, type RestAnswer, ServiceError } from '../service.ts';

/** A service bound to its protocol, for one request. */
interface Exchange {
  operation: string;
  run(context: CallContext): Promise<RestAnswer>;
}
export interface Protocol {
  /** @throws ServiceError where there is no such operation */
  open(request: IncomingMessage, body: Buffer): Exchange;
  refuse(error: ServiceError): RestAnswer;
}

/** @throws ServiceError ValidationException that names each field */
export async function runOperation(
  operation: Operation<never>,
  input: unknown,
  context: CallContext,
): Promise<unknown> {
  const parsed = z.safeParse(operation.input, input);
  if (!parsed.success) throw new ServiceError('ValidationException', describeIssues(parsed.error));
  return operation.handle(parsed.data, context);
}

function describeIssues(error: z.core.$ZodError): string {
  return error.issues
    .map((issue) => `${issue.path.length === 0 ? 'input' : issue.path.join('.')}: ${issue.message}`)
    .join('; ');
}

export function notImplemented(
  what: string,
  code = 'UnknownOperationException',
  statusCode = 400,
): ServiceError {
  return new ServiceError(code, `Ringvault's local cloud does not implement ${what}.`, statusCode);
}

/** Service JSON: dates are epoch seconds, undefined fields are left out. */
export function toJson(value: unknown): string {
  return JSON.stringify(value ?? {}, function replace(this: Record<string, unknown>, key, given) {
    const original = this[key];
    return original instanceof Date ? original.getTime() / 1000 : given;
  });
}

/** @throws ServiceError SerializationException */
export function parseJson(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    if (parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed)) return { ...parsed };
  } catch {
    // Told below, with what was expected.
  }
  throw new ServiceError('SerializationException', 'The body is not a JSON object.');
}
