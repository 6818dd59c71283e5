// Secrets Manager's API, as far as secrets are made, changed and read.
import { z } from 'zod';
import { type CallContext, type JsonService, LOCAL_ACCOUNT, ServiceError } from '../../endpoint/service.ts';
import { operation } from '../operation.ts';
import { arnOf, notFound, type Secret, type Secrets } from './secrets.ts';

const secretName = z.string().regex(/^[A-Za-z0-9/_+=.@-]{1,512}$/);
const token = { ClientRequestToken: z.string().optional() };

export function secretsManagerService(secrets: Secrets): JsonService {
  const authorised = async (action: string, id: string, context: CallContext): Promise<Secret> => {
    const found = await secrets.find(id);
    const arn = found?.arn ?? arnOf(id);
    context.authorize(`secretsmanager:${action}`, arn, {
      'secretsmanager:secretid': arn,
      'aws:resourceaccount': LOCAL_ACCOUNT,
    });
    if (found === undefined) throw notFound();
    return found;
  };
  return {
    protocol: 'json',
    signingName: 'secretsmanager',
    targetPrefix: 'secretsmanager',
    jsonVersion: '1.1',
    operations: {
      CreateSecret: operation(
        z.strictObject({
          Name: secretName,
          SecretString: z.string(),
          Description: z.string().optional(),
          ...token,
        }),
        async ({ Name, SecretString, Description }, context) => {
          context.authorize('secretsmanager:CreateSecret', arnOf(Name), { 'secretsmanager:name': Name });
          const created = await secrets.create(Name, SecretString, Description);
          return { ARN: created.arn, Name, VersionId: created.current.id };
        },
      ),
      PutSecretValue: operation(
        z.strictObject({ SecretId: z.string(), SecretString: z.string(), ...token }),
        async ({ SecretId, SecretString }, context) => {
          const { arn } = await authorised('PutSecretValue', SecretId, context);
          const { name, current } = await secrets.putValue(arn, SecretString);
          return { ARN: arn, Name: name, VersionId: current.id, VersionStages: ['AWSCURRENT'] };
        },
      ),
      GetSecretValue: operation(
        z.strictObject({
          SecretId: z.string(),
          VersionId: z.string().optional(),
          VersionStage: z.enum(['AWSCURRENT', 'AWSPREVIOUS']).optional(),
        }),
        async ({ SecretId, ...wanted }, context) =>
          secretValue(await authorised('GetSecretValue', SecretId, context), wanted),
      ),
      DescribeSecret: operation(z.strictObject({ SecretId: z.string() }), async ({ SecretId }, context) =>
        describe(await authorised('DescribeSecret', SecretId, context)),
      ),
      ListSecrets: operation(
        z.strictObject({ MaxResults: z.int().optional(), NextToken: z.string().optional() }),
        async (_input, context) => {
          context.authorize('secretsmanager:ListSecrets', '*');
          return { SecretList: (await secrets.list()).map(describe) };
        },
      ),
    },
  };
}

function secretValue(
  { arn, name, current, previous }: Secret,
  wanted: { VersionId?: string | undefined; VersionStage?: string | undefined },
) {
  const stages = [
    { stage: 'AWSCURRENT', version: current },
    { stage: 'AWSPREVIOUS', version: previous },
  ];
  const found = stages.find(
    ({ stage, version }) =>
      (wanted.VersionStage === undefined || stage === wanted.VersionStage) &&
      (wanted.VersionId === undefined || version?.id === wanted.VersionId),
  );
  if (found?.version === undefined) {
    throw new ServiceError('ResourceNotFoundException', `${name} has no version ${JSON.stringify(wanted)}.`);
  }
  return {
    ARN: arn,
    Name: name,
    VersionId: found.version.id,
    SecretString: found.version.value,
    VersionStages: [found.stage],
    CreatedDate: found.version.createdAt,
  };
}

function describe({ arn, name, description, current, previous }: Secret) {
  return {
    ARN: arn,
    Name: name,
    Description: description,
    LastChangedDate: current.createdAt,
    VersionIdsToStages: {
      [current.id]: ['AWSCURRENT'],
      ...(previous === undefined ? {} : { [previous.id]: ['AWSPREVIOUS'] }),
    },
  };
}
