// Wires the Step Functions interpreter to the local cloud: functions, objects and policies, by a state machine's own role.
import { randomUUID } from 'node:crypto';
import { GetObjectCommand, NoSuchBucket, NoSuchKey, S3Client } from '@aws-sdk/client-s3';
import { systemClock } from '../adapters/clock-system.ts';
import { systemRandom } from '../adapters/random-system.ts';
import type { LocalEndpoint } from './endpoint/local-endpoint.ts';
import { type Caller, LOCAL_REGION, ServiceError } from './endpoint/service.ts';
import type { Functions } from './lambda/functions.ts';
import type { LambdaEndpoint } from './lambda/lambda-endpoint.ts';
import type { LambdaOutcome, StepFunctionsPorts } from './step-functions/ports.ts';

export interface WorkflowPorts extends StepFunctionsPorts {
  close(): void;
}

/**
 * With an outside Lambda endpoint a state machine may have a role that is not known here. Such a role may do one thing:
 * invoke functions that are not deployed here, all of them. A role that is known is evaluated as ever.
 */
export function workflowPorts(
  endpoint: LocalEndpoint,
  functions: Functions,
  outside: LambdaEndpoint | undefined,
): WorkflowPorts {
  const { authorizer } = endpoint;
  const isOutsideRole = (roleArn: string) => outside !== undefined && !authorizer.hasRole(roleArn);
  const clients = new Map<string, S3Client>();
  const clientOf = (roleArn: string) => {
    const known = clients.get(roleArn);
    if (known) return known;
    const client = new S3Client({
      endpoint: endpoint.url,
      region: LOCAL_REGION,
      credentials: endpoint.identities.issue(workflowCaller(roleArn)),
      forcePathStyle: true,
    });
    clients.set(roleArn, client);
    return client;
  };
  return {
    clock: systemClock,
    random: systemRandom,
    newId: () => randomUUID(),
    invokeLambda: (call) =>
      outside && !functions.has(call.functionName)
        ? outside.invoke(call.functionName, call.payload)
        : invokeLambda(functions, call),
    authorize(roleArn, action, resource) {
      const isInvocationOutside = action === 'lambda:InvokeFunction' && !functions.has(resource);
      if (isInvocationOutside && isOutsideRole(roleArn)) {
        return { allowed: true, reason: `${roleArn} is not known here and not evaluated` };
      }
      return authorizer.decide(workflowCaller(roleArn), action, resource);
    },
    mayHaveRole: (stateMachineArn, roleArn) =>
      isOutsideRole(roleArn)
        ? { allowed: true, reason: `${roleArn} is not known here and not evaluated` }
        : authorizer.decideServiceTrust(roleArn, 'states.amazonaws.com', {
            'aws:sourcearn': stateMachineArn,
          }),
    async readObject({ roleArn, bucket, key }) {
      try {
        const { Body } = await clientOf(roleArn).send(new GetObjectCommand({ Bucket: bucket, Key: key }));
        return Body && Buffer.from(await Body.transformToByteArray());
      } catch (error) {
        if (error instanceof NoSuchKey || error instanceof NoSuchBucket) return undefined;
        throw error;
      }
    },
    close() {
      for (const client of clients.values()) client.destroy();
      outside?.close();
    },
  };
}

function workflowCaller(roleArn: string): Caller {
  const [account, role] = [roleArn.split(':')[4], roleArn.split('/').at(-1)];
  return { arn: `arn:aws:sts::${account}:assumed-role/${role}/states`, roleArn };
}

async function invokeLambda(
  functions: Functions,
  { roleArn, functionName, payload }: { roleArn: string; functionName: string; payload: unknown },
): Promise<LambdaOutcome> {
  try {
    const invoked = await functions.invoke(workflowCaller(roleArn), functionName, JSON.stringify(payload));
    if (invoked.error) return { error: invoked.error.errorType, cause: invoked.payload };
    return { ok: JSON.parse(invoked.payload) };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { error: `Lambda.${error.code}`, cause: error.message };
  }
}
