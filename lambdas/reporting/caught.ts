// What a Catch holds, in our words. Causes come from hosts (message, line feed, hint), from Lambda (JSON whose
// errorMessage is the same), or from Step Functions itself.
import { errorClasses, errorFrom, type ToldError, tellError } from '../../contracts/errors.ts';

interface Caught {
  Error: string;
  Cause: string;
}

/** An error by its own name, or as an UnexpectedError that keeps it. */
export function tellCaught({ Error: name, Cause: cause }: Caught): ToldError {
  const message = messageOf(cause);
  const hint = errorClasses.get(name)?.traits.hint;
  const plain = hint && message.endsWith(`\n${hint}`) ? message.slice(0, -hint.length - 1) : message;
  return tellError(errorFrom({ errorName: name, message: plain || '(no cause was given)' }));
}

function messageOf(cause: string): string {
  try {
    const { errorMessage } = JSON.parse(cause) as { errorMessage?: unknown };
    return typeof errorMessage === 'string' ? errorMessage : cause;
  } catch {
    return cause;
  }
}

/** `Name: message`, for warnings and lists. */
export function inOneLine({ errorName, message }: Pick<ToldError, 'errorName' | 'message'>): string {
  return `${errorName}: ${message.replaceAll(/\s*\n\s*/g, ' ')}`;
}
