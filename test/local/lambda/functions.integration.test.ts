// Functions run from their bundle with their declared environment alone, and fail in Lambda's own words.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Functions } from '../../../local/lambda/functions.ts';

const BUNDLE = `
export const handler = async (event, context) => {
  if (event.do === 'environment') return process.env;
  if (event.do === 'throw') throw Object.assign(new Error('the ring changed'), { name: 'RingChanged' });
  if (event.do === 'exit') process.exit(3);
  if (event.do === 'hang') await new Promise(() => setInterval(() => {}, 1000));
  if (event.do === 'pid') return process.pid;
  if (event.do === 'big') return 'x'.repeat(7 * 1024 * 1024);
  if (event.do === 'zod') return Object.keys(await import('zod'));
  if (event.do === 'sdk') return typeof (await import('@aws-sdk/client-sts')).STSClient;
  return { event, remaining: context.getRemainingTimeInMillis(), arn: context.invokedFunctionArn };
};`;
const ARN = 'arn:aws:lambda:eu-west-1:111122223333:function:step';
const caller = {
  arn: 'arn:aws:sts::111122223333:assumed-role/machine/run',
  roleArn: 'arn:aws:iam::111122223333:role/machine',
};

let directory: string;
let functions: Functions;
let denied: string | undefined;

beforeAll(async () => {
  // Inside the repository, so that a bundle could find its node_modules if nothing kept it from doing so.
  directory = await mkdtemp(join(import.meta.dirname, 'bundle-'));
  await writeFile(join(directory, 'index.mjs'), BUNDLE);
  functions = new Functions(
    {
      endpointUrl: 'http://127.0.0.1:1',
      region: 'eu-west-1',
      logDirectory: await mkdtemp(join(tmpdir(), 'ringvault-logs-')),
      credentials: () => ({ accessKeyId: 'ASIATEST', secretAccessKey: 'secret', sessionToken: 'token' }),
    },
    { decide: () => ({ allowed: denied === undefined, reason: denied ?? '' }) },
  );
  functions.create({
    name: 'step',
    arn: ARN,
    roleArn: 'arn:aws:iam::111122223333:role/step',
    runtime: 'nodejs24.x',
    handler: 'index.handler',
    directory,
    timeoutSeconds: 2,
    memoryMegabytes: 128,
    environment: { RINGVAULT_BUCKET: 'vault' },
    logGroup: '/aws/lambda/step',
  });
});
afterAll(async () => {
  await functions.close();
  await rm(directory, { recursive: true });
});

async function invoke(what: string): Promise<unknown> {
  const { payload } = await functions.invoke(caller, ARN, JSON.stringify({ do: what }));
  return JSON.parse(payload);
}

describe('a function', () => {
  it('answers with its event and context', async () => {
    const answer = z.object({ event: z.object({ do: z.string() }), remaining: z.number(), arn: z.string() });
    const got = answer.parse(await invoke('anything'));
    expect(got.event.do).toBe('anything');
    expect(got.arn).toBe(ARN);
    expect(got.remaining).toBeGreaterThan(0);
    expect(got.remaining).toBeLessThanOrEqual(2000);
  });

  it('sees what the template declares and what Lambda sets, and nothing of the parent', async () => {
    process.env['RINGVAULT_STRAY'] = 'must not be seen';
    const environment = z.record(z.string(), z.string()).parse(await invoke('environment'));
    expect(environment).toMatchObject({
      RINGVAULT_BUCKET: 'vault',
      AWS_REGION: 'eu-west-1',
      AWS_LAMBDA_FUNCTION_NAME: 'step',
      AWS_ACCESS_KEY_ID: 'ASIATEST',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    });
    expect(environment).not.toHaveProperty('RINGVAULT_STRAY');
    expect(environment).not.toHaveProperty('HOME');
  });

  it('tells an error by its name', async () => {
    expect(await invoke('throw')).toMatchObject({
      errorType: 'RingChanged',
      errorMessage: 'the ring changed',
    });
  });

  it('fails with Runtime.ExitError when its process ends, and works again', async () => {
    expect(await invoke('exit')).toMatchObject({ errorType: 'Runtime.ExitError' });
    expect(await invoke('pid')).toBeTypeOf('number');
  });

  it('is ended at its timeout, and works again', async () => {
    expect(await invoke('hang')).toMatchObject({
      errorType: 'Sandbox.Timedout',
      errorMessage: expect.stringContaining('Task timed out after 2.00 seconds'),
    });
    expect(await invoke('pid')).toBeTypeOf('number');
  });

  it('stays warm, and has a process for each invocation at the same time', async () => {
    const first = await invoke('pid');
    expect(await invoke('pid')).toBe(first);
    const both = await Promise.all([invoke('pid'), invoke('pid')]);
    expect(new Set(both).size).toBe(2);
  });

  it('has the SDK, but no other module outside its bundle', async () => {
    expect(await invoke('sdk')).toBe('function');
    expect(await invoke('zod')).toMatchObject({ errorType: 'Runtime.ImportModuleError' });
  });

  it('keeps to the payload limits', async () => {
    expect(await invoke('big')).toMatchObject({ errorType: 'Function.ResponseSizeTooLarge' });
    const tooBig = JSON.stringify('x'.repeat(6 * 1024 * 1024));
    await expect(functions.invoke(caller, 'step', tooBig)).rejects.toThrow(
      expect.objectContaining({ code: 'RequestTooLargeException' }),
    );
  });

  it('is invoked only by who may', async () => {
    denied = 'no statement allows it';
    await expect(invoke('pid')).rejects.toThrow(expect.objectContaining({ code: 'AccessDeniedException' }));
    denied = undefined;
    const asRule = functions.invokeAsService('events.amazonaws.com', 'arn:rule', 'step', '{}');
    await expect(asRule).rejects.toThrow(expect.objectContaining({ code: 'AccessDeniedException' }));
    functions.permit(ARN, { principal: 'events.amazonaws.com', sourceArn: 'arn:rule' });
    const { error } = await functions.invokeAsService('events.amazonaws.com', 'arn:rule', 'step', '{}');
    expect(error).toBeUndefined();
  });
});
