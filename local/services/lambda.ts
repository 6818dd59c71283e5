// Lambda's API: invoking, and looking at what there is.
import { z } from 'zod';
import { RestAnswer, type RestJsonService, type RestRoute } from '../endpoint/service.ts';
import type { Functions } from '../lambda/functions.ts';
import type { FunctionSettings } from '../lambda/lambda-function.ts';
import { operation } from './operation.ts';

const named = z.strictObject({ FunctionName: z.string() });
const invocationType = z.enum(['RequestResponse', 'Event', 'DryRun']);

export function lambdaService(functions: Functions): RestJsonService {
  return {
    protocol: 'rest-json',
    signingName: 'lambda',
    routes: [
      invoke(functions),
      getFunction(functions),
      getConfiguration(functions),
      listFunctions(functions),
    ],
  };
}

function invoke(functions: Functions): RestRoute {
  const input = z.strictObject({
    FunctionName: z.string(),
    Qualifier: z.literal('$LATEST').optional(),
    payload: z.instanceof(Buffer),
    headers: z.record(z.string(), z.string()),
  });
  return {
    method: 'POST',
    path: '/2015-03-31/functions/{FunctionName}/invocations',
    operation: 'Invoke',
    rawPayload: true,
    ...operation(input, async ({ FunctionName, payload, headers }, context) => {
      const type = invocationType.parse(headers['x-amz-invocation-type'] ?? 'RequestResponse');
      context.authorize('lambda:InvokeFunction', functions.find(FunctionName).settings.arn);
      if (type === 'DryRun') return new RestAnswer(204, {}, '');
      const answer = functions.invoke(context.caller, FunctionName, payload.toString() || '{}');
      if (type === 'RequestResponse') return answered(await answer);
      answer.catch(() => undefined);
      return new RestAnswer(202, {}, '');
    }),
  };
}

function answered({ payload, error }: Awaited<ReturnType<Functions['invoke']>>): RestAnswer {
  const headers = { 'content-type': 'application/json', 'x-amz-executed-version': '$LATEST' };
  return new RestAnswer(200, error ? { ...headers, 'x-amz-function-error': 'Unhandled' } : headers, payload);
}

function getFunction(functions: Functions): RestRoute {
  return {
    method: 'GET',
    path: '/2015-03-31/functions/{FunctionName}',
    operation: 'GetFunction',
    ...operation(named, async ({ FunctionName }, context) => {
      const { settings } = functions.find(FunctionName);
      context.authorize('lambda:GetFunction', settings.arn);
      return { Configuration: configuration(settings) };
    }),
  };
}

function getConfiguration(functions: Functions): RestRoute {
  return {
    method: 'GET',
    path: '/2015-03-31/functions/{FunctionName}/configuration',
    operation: 'GetFunctionConfiguration',
    ...operation(named, async ({ FunctionName }, context) => {
      const { settings } = functions.find(FunctionName);
      context.authorize('lambda:GetFunctionConfiguration', settings.arn);
      return configuration(settings);
    }),
  };
}

function listFunctions(functions: Functions): RestRoute {
  return {
    method: 'GET',
    path: '/2015-03-31/functions',
    operation: 'ListFunctions',
    ...operation(z.strictObject({ MaxItems: z.string().optional() }), async (_input, context) => {
      context.authorize('lambda:ListFunctions', '*');
      return { Functions: functions.list().map(configuration) };
    }),
  };
}

function configuration(settings: FunctionSettings) {
  return {
    FunctionName: settings.name,
    FunctionArn: settings.arn,
    Role: settings.roleArn,
    Runtime: settings.runtime,
    Handler: settings.handler,
    Timeout: settings.timeoutSeconds,
    MemorySize: settings.memoryMegabytes,
    Environment: { Variables: settings.environment },
    LoggingConfig: { LogGroup: settings.logGroup, LogFormat: 'JSON' },
    State: 'Active',
    Version: '$LATEST',
    PackageType: 'Zip',
  };
}
