// A parameter that a workflow's state adds to the plan.
import { InvalidDocument } from '../../contracts/errors.ts';

/** @throws InvalidDocument */
export function parameter(parameters: Record<string, unknown>, name: string): string {
  const value = parameters[name];
  if (typeof value === 'string') return value;
  throw new InvalidDocument(`parameters of the action: got ${name} ${JSON.stringify(value)}, expected text`);
}
