// The integrations that a Task may name, and what each takes as Arguments.

export type Resource =
  | { kind: 'lambda'; resource: 'invoke' | 'invoke.waitForTaskToken' }
  | { kind: 'states'; resource: 'startExecution' | 'startExecution.sync:2' };

const implemented: Record<string, Resource> = {
  'lambda:invoke': { kind: 'lambda', resource: 'invoke' },
  'lambda:invoke.waitForTaskToken': { kind: 'lambda', resource: 'invoke.waitForTaskToken' },
  'states:startExecution': { kind: 'states', resource: 'startExecution' },
  'states:startExecution.sync:2': { kind: 'states', resource: 'startExecution.sync:2' },
};

/** `arn:<any partition>:states:::…`; undefined for what is not implemented. */
export function parseResource(arn: string): Resource | undefined {
  const name = /^arn:[a-z-]+:states:::(.+)$/.exec(arn)?.[1];
  return name === undefined ? undefined : implemented[name];
}

export const resourceNames = Object.keys(implemented);

/** Argument names by integration; the first is required. */
export const argumentNames: Record<Resource['kind'], readonly [string, ...string[]]> = {
  lambda: ['FunctionName', 'Payload'],
  states: ['StateMachineArn', 'Input', 'Name'],
};

export function isJsonReader(arn: string): boolean {
  return /^arn:[a-z-]+:states:::s3:getObject$/.test(arn);
}
