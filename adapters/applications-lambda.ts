// A cluster's applications by way of the Lambda that may call them.
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { z } from 'zod';
import { errorClasses, errorFrom, InvalidConfiguration, UnexpectedError } from '../contracts/errors.ts';
import { steps } from '../contracts/steps.ts';
import { callAws } from './aws-call.ts';
import type { Applications } from './ports.ts';

export interface LambdaApplicationsOptions {
  /** Cluster ID → the function's name. */
  functions: Readonly<Record<string, string>>;
  client?: LambdaClient;
}

const thrown = z.looseObject({ errorType: z.string(), errorMessage: z.string() });

export function lambdaApplications({ functions, client }: LambdaApplicationsOptions): Applications {
  const lambda = client ?? new LambdaClient({ maxAttempts: 4 });
  return {
    async ask(clusterId, request) {
      const name = Object.hasOwn(functions, clusterId) ? functions[clusterId] : undefined;
      if (name === undefined) {
        throw new InvalidConfiguration(
          `cluster "${clusterId}": got no \`pause\`, expected it in ringvault.yaml`,
        );
      }
      const invoke = new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(request) });
      const { Payload, FunctionError } = await callAws('lambda:Invoke', () => lambda.send(invoke));
      const answer: unknown = JSON.parse(Buffer.from(Payload ?? []).toString() || 'null');
      if (FunctionError) throw errorOf(thrown.safeParse(answer).data, name);
      return steps.CallApplications.output.parse(answer);
    },
  };
}

/** What the function threw has its name; what ended it has Lambda's. */
function errorOf(told: z.infer<typeof thrown> | undefined, name: string): Error {
  const { errorType = 'an error', errorMessage = '' } = told ?? {};
  const hint = errorClasses.get(errorType)?.traits.hint;
  const message = hint ? errorMessage.replace(`\n${hint}`, '') : errorMessage;
  return hint
    ? errorFrom({ errorName: errorType, message })
    : new UnexpectedError(`${name}: ${errorType}: ${message}`);
}
