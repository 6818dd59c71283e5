// One way to call an AWS service's client: what is transient gets a name that workflows retry.
import { AwsCallFailed, AwsUnavailable } from '../contracts/errors.ts';

interface Answered {
  $metadata?: { httpStatusCode?: number };
  $retryable?: unknown;
}

const THROTTLED =
  /^(Throttl|TooManyRequests|RequestLimitExceeded|ProvisionedThroughputExceeded|TooManyUpdates)/;
const NETWORK = /^(TimeoutError|NetworkingError|ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT)/;

/** What the SDK tells its errors apart by; nothing of what is none. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

/**
 * The SDK has retried already. Errors that `expected` names pass as they are.
 * @throws AwsUnavailable AwsCallFailed
 */
export async function callAws<Answer>(
  call: string,
  send: () => Promise<Answer>,
  expected: readonly string[] = [],
): Promise<Answer> {
  try {
    return await send();
  } catch (cause) {
    const name = nameOf(cause);
    if (expected.includes(name)) throw cause;
    const message = `${call}: got ${name}: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw isTransient(cause) ? new AwsUnavailable(message, { cause }) : new AwsCallFailed(message, { cause });
  }
}

function isTransient(error: unknown): boolean {
  const { $metadata, $retryable } = (error ?? {}) as Answered;
  if ($retryable || ($metadata?.httpStatusCode ?? 0) >= 500) return true;
  const names = error instanceof Error ? [error.name, (error as NodeJS.ErrnoException).code ?? ''] : [];
  return names.some((name) => THROTTLED.test(name) || NETWORK.test(name));
}
