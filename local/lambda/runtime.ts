// The process that a local Lambda function runs in: loads the bundle, then takes one invocation at a time from its parent.
// Started by function-process.ts with nothing but the function's own environment.
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { FromRuntime, ToRuntime } from './runtime-messages.ts';

const root = process.env['LAMBDA_TASK_ROOT'] ?? '';
const handlerName = process.env['_HANDLER'] ?? '';
type Handler = (event: unknown, context: unknown) => unknown;

refuseModulesOutside(`${pathToFileURL(resolve(root))}/`);
const loading = loadHandler();
loading.then(announce, announce);
process.on('message', (message: ToRuntime) => void answer(message));
process.on('disconnect', () => process.exit(0));
// A terminal's Ctrl-C reaches every process of its group; only the parent ends this one.
process.on('SIGINT', () => undefined);

/** The bundle is loaded, or will never be: an invocation's time counts from here. */
function announce(): void {
  process.send?.('loaded' satisfies FromRuntime);
}

async function answer(message: ToRuntime): Promise<void> {
  let reply: FromRuntime;
  try {
    const handler = await loading;
    const result = await handler(JSON.parse(message.payload), contextOf(message));
    reply = { requestId: message.requestId, payload: JSON.stringify(result) ?? 'null' };
  } catch (error) {
    reply = { requestId: message.requestId, error: described(error) };
  }
  process.send?.(reply);
}

async function loadHandler(): Promise<Handler> {
  const [file, name] = handlerName.split('.');
  const bundle: Record<string, unknown> = await import(pathToFileURL(resolve(root, `${file}.mjs`)).href);
  const handler = bundle[name ?? ''];
  if (typeof handler !== 'function') {
    throw Object.assign(new Error(`${handlerName} is undefined or not exported`), {
      name: 'Runtime.HandlerNotFound',
    });
  }
  return handler as Handler;
}

/** On AWS there is no node_modules above the bundle: only the SDK comes with the runtime, as it comes with this file. */
function refuseModulesOutside(rootUrl: string): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (!context.parentURL?.startsWith(rootUrl)) return nextResolve(specifier, context);
      if (/^@(aws-sdk|smithy)\//.test(specifier)) {
        return nextResolve(specifier, { ...context, parentURL: import.meta.url });
      }
      const found = nextResolve(specifier, context);
      if (!found.url.startsWith('file:') || found.url.startsWith(rootUrl)) return found;
      throw Object.assign(new Error(`Cannot find package '${specifier}' in the bundle`), {
        name: 'Runtime.ImportModuleError',
      });
    },
  });
}

function contextOf({ requestId, deadlineMs, functionArn }: ToRuntime) {
  const environment = process.env;
  return {
    awsRequestId: requestId,
    invokedFunctionArn: functionArn,
    functionName: environment['AWS_LAMBDA_FUNCTION_NAME'],
    functionVersion: environment['AWS_LAMBDA_FUNCTION_VERSION'],
    memoryLimitInMB: environment['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],
    logGroupName: environment['AWS_LAMBDA_LOG_GROUP_NAME'],
    logStreamName: environment['AWS_LAMBDA_LOG_STREAM_NAME'],
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  };
}

/** As Lambda's own Node runtime describes an error to who invoked the function. */
function described(error: unknown): { errorType: string; errorMessage: string; trace: string[] } {
  if (!(error instanceof Error)) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  return { errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') ?? [] };
}
