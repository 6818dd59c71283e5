// DescribeDocument and GetDocument.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Operation, ServiceError } from '../endpoint/service.ts';
import { operation } from './operation.ts';
import type { CommandDocument, RunCommand } from './ssm-commands.ts';

export function documentOperations({ documents }: RunCommand): Record<string, Operation<never>> {
  const find = (name: string): CommandDocument => {
    const found = documents.get(name.split('/').at(-1) ?? '');
    if (!found) throw new ServiceError('InvalidDocument', `Document with name ${name} does not exist.`);
    return found;
  };
  const named = z.strictObject({
    Name: z.string(),
    DocumentVersion: z.enum(['$DEFAULT', '$LATEST', '1']).optional(),
  });
  return {
    DescribeDocument: operation(named, async ({ Name }, context) => {
      const document = find(Name);
      context.authorize('ssm:DescribeDocument', document.arn);
      return { Document: description(document) };
    }),
    GetDocument: operation(
      named.extend({ DocumentFormat: z.literal('JSON').optional() }),
      async ({ Name }, context) => {
        const document = find(Name);
        context.authorize('ssm:GetDocument', document.arn);
        return {
          Name: document.name,
          CreatedDate: document.createdAt,
          DocumentVersion: '1',
          Status: 'Active',
          Content: document.contentJson,
          DocumentType: 'Command',
          DocumentFormat: 'JSON',
        };
      },
    ),
  };
}

function description({ name, content, contentJson, createdAt }: CommandDocument): unknown {
  return {
    Name: name,
    Hash: createHash('sha256').update(contentJson).digest('hex'),
    HashType: 'Sha256',
    Owner: 'self',
    CreatedDate: createdAt,
    Status: 'Active',
    DocumentVersion: '1',
    LatestVersion: '1',
    DefaultVersion: '1',
    Description: content.description,
    Parameters: Object.entries(content.parameters).map(([parameter, definition]) => ({
      Name: parameter,
      Type: definition.type,
      Description: definition.description,
      DefaultValue: definition.default,
    })),
    PlatformTypes: ['Linux'],
    DocumentType: 'Command',
    SchemaVersion: content.schemaVersion,
    DocumentFormat: 'JSON',
  };
}
