// Functions that are not deployed here: invoked at an outside endpoint that speaks Lambda's own API, for state machines.
import { InvokeCommand, LambdaClient, LambdaServiceException } from '@aws-sdk/client-lambda';
import { z } from 'zod';
import { LOCAL_REGION } from '../endpoint/service.ts';
import type { LambdaOutcome } from '../step-functions/ports.ts';

const functionError = z.object({ errorType: z.string().min(1) });
const answered = z.object({ $response: z.object({ statusCode: z.number() }) });
/** Of an endpoint whose answer tells no error's name. */
const namesOfStatus: Record<number, string> = {
  404: 'ResourceNotFoundException',
  413: 'RequestTooLargeException',
  429: 'TooManyRequestsException',
};

export class LambdaEndpoint {
  readonly url: string;
  readonly #client: LambdaClient;

  constructor(url: string) {
    this.url = url;
    // Signed with a key that opens nothing: credentials of the local cloud are not for others.
    this.#client = new LambdaClient({
      endpoint: url,
      region: LOCAL_REGION,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      maxAttempts: 1,
    });
  }

  /**
   * One attempt; Retry is the state's. Never rejects.
   * @param functionName name, partial or full ARN, with or without a version or alias
   */
  async invoke(functionName: string, payload: unknown): Promise<LambdaOutcome> {
    const { name, qualifier } = partsOf(functionName);
    try {
      const { FunctionError, Payload } = await this.#client.send(
        new InvokeCommand({ FunctionName: name, Qualifier: qualifier, Payload: JSON.stringify(payload) }),
      );
      const text = Payload?.transformToString() ?? '';
      return FunctionError === undefined ? succeeded(text) : failed(text);
    } catch (error) {
      return refused(error);
    }
  }

  close(): void {
    this.#client.destroy();
  }
}

/** The name alone goes into the path: who plays Lambda on a developer's machine knows names, not ARNs. */
function partsOf(functionName: string): { name: string; qualifier: string | undefined } {
  const own = functionName.split(':function:').at(-1) ?? functionName;
  const [name = '', qualifier] = own.split(':');
  return { name, qualifier };
}

function succeeded(text: string): LambdaOutcome {
  if (text === '') return { ok: null };
  try {
    return { ok: JSON.parse(text) };
  } catch {
    return { error: 'Lambda.Unknown', cause: `Lambda returned a payload that is not JSON: ${text}` };
  }
}

/** The function's own error, by its errorType; one without (out of memory, say) is Lambda.Unknown. */
function failed(text: string): LambdaOutcome {
  const parsed = functionError.safeParse(jsonOrNothing(text));
  if (parsed.success) return { error: parsed.data.errorType, cause: text };
  const why = 'The cause could not be determined because Lambda did not return an error type.';
  return { error: 'Lambda.Unknown', cause: `${why} Returned payload: ${text}` };
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An error of Lambda's API keeps its name; any other answer is AWSLambdaException, as the service tells it. */
function refused(error: unknown): LambdaOutcome {
  const why = error instanceof Error ? error.message || error.name : String(error);
  const status = statusOf(error);
  if (status === undefined) {
    return { error: 'Lambda.SdkClientException', cause: `Unable to execute HTTP request: ${why}` };
  }
  const cause = `${why} (Service: Lambda, Status Code: ${status})`;
  return { error: `Lambda.${nameOfRefusal(error, status)}`, cause };
}

/** Undefined: there was no answer. One that is no JSON is told by the SDK as a SyntaxError that has the response. */
function statusOf(error: unknown): number | undefined {
  return answered.safeParse(error).data?.$response.statusCode;
}

function nameOfRefusal(error: unknown, status: number): string {
  if (error instanceof LambdaServiceException) {
    const isModelled = error.constructor !== LambdaServiceException;
    if (isModelled) return error.name;
    if (error.name.endsWith('Exception')) return 'AWSLambdaException';
  }
  return namesOfStatus[status] ?? (status >= 500 ? 'ServiceException' : 'AWSLambdaException');
}
