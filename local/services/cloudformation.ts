// CloudFormation's API, as far as it looks at stacks.
import { z } from 'zod';
import type { StackRecord, StackRecords, StackResource } from '../deploy/stack-records.ts';
import { type CallContext, type QueryService, ServiceError } from '../endpoint/service.ts';
import { operation } from './operation.ts';

export function cloudFormationService(records: StackRecords): QueryService {
  const find = (name: string, action: string, context: CallContext): StackRecord => {
    const stack = records.find(name);
    context.authorize(`cloudformation:${action}`, stack?.id ?? '*');
    if (!stack) throw new ServiceError('ValidationError', `Stack with id ${name} does not exist`);
    return stack;
  };
  return {
    protocol: 'query',
    signingName: 'cloudformation',
    xmlNamespace: 'http://cloudformation.amazonaws.com/doc/2010-05-15/',
    operations: {
      DescribeStacks: operation(
        z.strictObject({ StackName: z.string().optional(), NextToken: z.string().optional() }),
        async ({ StackName }, context) => {
          if (StackName !== undefined)
            return { Stacks: [describeStack(find(StackName, 'DescribeStacks', context))] };
          context.authorize('cloudformation:DescribeStacks', '*');
          return { Stacks: [...records.stacks.values()].map(describeStack) };
        },
      ),
      DescribeStackResources: operation(
        z.strictObject({ StackName: z.string(), LogicalResourceId: z.string().optional() }),
        async ({ StackName, LogicalResourceId }, context) => {
          const stack = find(StackName, 'DescribeStackResources', context);
          const wanted = stack.resources.filter(
            (each) => LogicalResourceId === undefined || each.logicalId === LogicalResourceId,
          );
          return { StackResources: wanted.map((each) => describeResource(stack, each)) };
        },
      ),
      ListStacks: operation(
        z.strictObject({
          StackStatusFilter: z.array(z.string()).optional(),
          NextToken: z.string().optional(),
        }),
        async ({ StackStatusFilter }, context) => {
          context.authorize('cloudformation:ListStacks', '*');
          const wanted = StackStatusFilter?.includes('CREATE_COMPLETE') ?? true;
          return { StackSummaries: wanted ? [...records.stacks.values()].map(summary) : [] };
        },
      ),
    },
  };
}

function summary({ name, id, createdAt }: StackRecord) {
  return { StackName: name, StackId: id, CreationTime: createdAt, StackStatus: 'CREATE_COMPLETE' };
}

function describeStack(stack: StackRecord) {
  return {
    ...summary(stack),
    Description: stack.description,
    DisableRollback: false,
    Outputs: Object.entries(stack.outputs).map(([OutputKey, OutputValue]) => ({ OutputKey, OutputValue })),
  };
}

function describeResource(stack: StackRecord, resource: StackResource) {
  return {
    StackName: stack.name,
    StackId: stack.id,
    LogicalResourceId: resource.logicalId,
    PhysicalResourceId: resource.physicalId,
    ResourceType: resource.type,
    Timestamp: resource.createdAt,
    ResourceStatus: 'CREATE_COMPLETE',
  };
}
