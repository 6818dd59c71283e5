// Starts the Restore workflow as an operator would: with the aws CLI where it is installed, else with the SDK.
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { execa } from 'execa';
import { z } from 'zod';
import type { Cloud } from '../cloud.ts';
import { LocalServerFailed } from '../servers/errors.ts';

const started = z.looseObject({ executionArn: z.string() });

/** `how` says which of the two it was. @throws LocalServerFailed */
export async function startRestore(
  cloud: Cloud,
  stack: string,
  request: { clusterId: string; backupId: string; confirmCluster: string },
): Promise<{ executionArn: string; how: string }> {
  const stateMachineArn = cloud.stacks.find(stack)?.outputs['RestoreArn'] ?? '';
  const input = JSON.stringify(request);
  const args = ['stepfunctions', 'start-execution', '--state-machine-arn', stateMachineArn, '--input', input];
  const withCli = await execa('aws', [...args, '--output', 'json'], {
    env: { ...cloud.environment, AWS_PAGER: '' },
    reject: false,
    stdin: 'ignore',
  });
  if (!withCli.failed) {
    const { executionArn } = started.parse(JSON.parse(withCli.stdout));
    return { executionArn, how: `started with: aws stepfunctions start-execution --input '${input}' …` };
  }
  if (withCli.code !== 'ENOENT')
    throw new LocalServerFailed(`aws: ${withCli.shortMessage}\n${withCli.stderr}`);
  const client = new SFNClient(cloud.clientOptions);
  try {
    const { executionArn } = await client.send(new StartExecutionCommand({ stateMachineArn, input }));
    if (!executionArn) throw new LocalServerFailed('StartExecution: got no execution ARN');
    return { executionArn, how: 'started with the AWS SDK (the aws CLI is not installed)' };
  } finally {
    client.destroy();
  }
}
