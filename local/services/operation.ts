// Makes one API operation of its input's schema and its handler.
import type { z } from 'zod';
import type { CallContext, Operation } from '../endpoint/service.ts';

/** The server parses by `input` before it calls `handle`; a table of operations cannot say so in its type. */
export function operation<Input>(
  input: z.ZodType<Input>,
  handle: (input: Input, context: CallContext) => Promise<unknown>,
): Operation<never> {
  return { input, handle } as unknown as Operation<never>;
}
