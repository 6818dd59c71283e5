// npm's asl-validator, which is CommonJS and typed loosely.
import { createRequire } from 'node:module';

type Validate = (definition: unknown) => { isValid: boolean; errors: unknown[]; errorsText(): string };
const validate = createRequire(import.meta.url)('asl-validator') as Validate;

/** What it finds wrong, one text each. */
export function validateDefinition(definition: unknown): string[] {
  const { isValid, errorsText } = validate(definition);
  return isValid ? [] : errorsText().split('\n');
}
