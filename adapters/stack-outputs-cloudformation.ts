// The outputs of the deployed stack, read from CloudFormation: all that the CLI must know of an installation.
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { z } from 'zod';
import { describeIssues } from '../contracts/documents.ts';
import { UnknownStack } from '../contracts/errors.ts';
import { callAws } from './aws-call.ts';
import type { StackOutputs, Stacks } from './ports.ts';

/** Names as in docs/architecture.md. */
const outputs = z.object({
  VaultBucket: z.string().min(1),
  /** CloudFormation leaves an output without a value away. */
  VaultPrefix: z.string().default(''),
  CatalogTable: z.string().min(1),
  TopicArn: z.string().min(1),
  BackupArn: z.string().min(1),
  RestoreArn: z.string().min(1),
  RegisterArn: z.string().min(1),
  RecoverArn: z.string().min(1),
});

/** The client takes region, credentials and endpoint from the environment. */
export function cloudFormationStacks(client = new CloudFormationClient()): Stacks {
  return {
    async outputs(stackName) {
      const described = await describe(client, stackName);
      const parsed = outputs.safeParse(described);
      if (parsed.success) return stackOutputs(parsed.data);
      throw new UnknownStack(`stack "${stackName}" is not Ringvault’s: ${describeIssues(parsed.error)}`);
    },
  };
}

async function describe(client: CloudFormationClient, stackName: string): Promise<Record<string, string>> {
  try {
    const { Stacks: stacks = [] } = await callAws(
      `DescribeStacks ${stackName}`,
      () => client.send(new DescribeStacksCommand({ StackName: stackName })),
      ['ValidationError'],
    );
    const named = (stacks[0]?.Outputs ?? []).map((each) => [each.OutputKey ?? '', each.OutputValue ?? '']);
    return Object.fromEntries(named);
  } catch (cause) {
    // CloudFormation has no name of its own for it.
    if (cause instanceof Error && cause.name === 'ValidationError' && /does not exist/.test(cause.message)) {
      throw new UnknownStack(`there is no stack "${stackName}" in this account and region`, { cause });
    }
    throw cause;
  }
}

function stackOutputs(named: z.infer<typeof outputs>): StackOutputs {
  return {
    vaultBucket: named.VaultBucket,
    vaultPrefix: named.VaultPrefix,
    catalogTable: named.CatalogTable,
    topicArn: named.TopicArn,
    backupArn: named.BackupArn,
    restoreArn: named.RestoreArn,
    registerArn: named.RegisterArn,
    recoverArn: named.RecoverArn,
  };
}
