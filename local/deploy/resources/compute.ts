// Functions, state machines, Run Command documents, and where they log.
import { z } from 'zod';
import { documentContent } from '../../hosts/ssm-document.ts';
import { DeploymentRefused } from '../errors.ts';
import { type Creation, resourceType } from '../resource-type.ts';

export const logGroup = resourceType(
  { LogGroupName: z.string().optional() },
  ['RetentionInDays', 'LogGroupClass', 'KmsKeyId', 'DeletionProtectionEnabled', 'Tags'],
  async ({ LogGroupName }, { physicalName, arn }) => {
    const name = LogGroupName ?? physicalName(512);
    return { id: name, attributes: { Arn: arn('logs', `log-group:${name}:*`) } };
  },
);

export const lambdaFunction = resourceType(
  {
    FunctionName: z.string().optional(),
    Code: z.strictObject({ S3Bucket: z.string(), S3Key: z.string() }),
    Handler: z.string().regex(/^[\w-]+\.\w+$/),
    Runtime: z.literal('nodejs24.x'),
    Role: z.string(),
    Timeout: z.int().min(1).max(900).default(3),
    MemorySize: z.int().min(128).max(10_240).default(128),
    Environment: z
      .strictObject({ Variables: z.record(z.string(), z.string()).default({}) })
      .default({ Variables: {} }),
    LoggingConfig: z.looseObject({ LogGroup: z.string().optional() }).default({}),
    ReservedConcurrentExecutions: z.int().optional(),
    /** Every function runs on this machine, and reaches what this machine reaches. */
    VpcConfig: z
      .strictObject({
        SubnetIds: z.array(z.string()).min(1),
        SecurityGroupIds: z.array(z.string()).min(1),
      })
      .optional(),
  },
  ['Architectures', 'Description', 'TracingConfig', 'EphemeralStorage', 'Tags'],
  async (properties, creation) => {
    const { platform, physicalName, arn, asset } = creation;
    const name = properties.FunctionName ?? physicalName(64);
    const functionArn = arn('lambda', `function:${name}`);
    requireTrust(creation, properties.Role, 'lambda.amazonaws.com', functionArn);
    const code = asset(properties.Code.S3Key);
    if (code.packaging !== 'zip') throw new DeploymentRefused('expected a directory as the function’s asset');
    if (properties.ReservedConcurrentExecutions !== undefined) {
      platform.stacks.recordedOnly.add('AWS::Lambda::Function.ReservedConcurrentExecutions');
    }
    if (properties.VpcConfig) platform.stacks.recordedOnly.add('AWS::Lambda::Function.VpcConfig');
    platform.functions.create({
      name,
      arn: functionArn,
      roleArn: properties.Role,
      runtime: properties.Runtime,
      handler: properties.Handler,
      directory: code.path,
      timeoutSeconds: properties.Timeout,
      memoryMegabytes: properties.MemorySize,
      environment: properties.Environment.Variables,
      logGroup: properties.LoggingConfig.LogGroup ?? `/aws/lambda/${name}`,
      reservedConcurrency: properties.ReservedConcurrentExecutions,
    });
    return { id: name, attributes: { Arn: functionArn } };
  },
);

export const lambdaPermission = resourceType(
  {
    Action: z.literal('lambda:InvokeFunction'),
    FunctionName: z.string(),
    Principal: z.string().endsWith('.amazonaws.com'),
    SourceArn: z.string().optional(),
  },
  ['SourceAccount'],
  async ({ FunctionName, Principal, SourceArn }, { platform, physicalName }) => {
    platform.functions.permit(FunctionName, { principal: Principal, sourceArn: SourceArn });
    return { id: physicalName(100) };
  },
);

export const stateMachine = resourceType(
  {
    StateMachineName: z.string().optional(),
    DefinitionString: z.string(),
    RoleArn: z.string(),
    StateMachineType: z.literal('STANDARD').optional(),
  },
  ['LoggingConfiguration', 'TracingConfiguration', 'EncryptionConfiguration', 'Tags'],
  async (properties, creation) => {
    const name = properties.StateMachineName ?? creation.physicalName(80);
    const arn = creation.arn('states', `stateMachine:${name}`);
    requireTrust(creation, properties.RoleArn, 'states.amazonaws.com', arn);
    creation.platform.stepFunctions.create({
      name,
      roleArn: properties.RoleArn,
      definition: properties.DefinitionString,
    });
    return { id: arn, attributes: { Arn: arn, Name: name } };
  },
);

export const ssmDocument = resourceType(
  {
    Name: z.string().optional(),
    Content: z.union([z.string(), z.record(z.string(), z.unknown())]),
    DocumentType: z.literal('Command'),
    DocumentFormat: z.literal('JSON').default('JSON'),
    TargetType: z.literal('/AWS::EC2::Instance').optional(),
  },
  ['UpdateMethod', 'VersionName', 'Tags'],
  async ({ Name, Content }, { platform, physicalName, arn }) => {
    const name = Name ?? physicalName(128);
    const contentJson = typeof Content === 'string' ? Content : JSON.stringify(Content);
    const content = documentContent.parse(JSON.parse(contentJson));
    const documentArn = arn('ssm', `document/${name}`);
    platform.runCommand.documents.set(name, {
      name,
      arn: documentArn,
      content,
      contentJson,
      createdAt: new Date(),
    });
    return { id: name };
  },
);

/** A service takes a role only if the role trusts it, for this resource. */
function requireTrust({ platform }: Creation, roleArn: string, service: string, sourceArn: string): void {
  const trust = platform.authorizer.decideServiceTrust(roleArn, service, { 'aws:sourcearn': sourceArn });
  if (!trust.allowed) throw new DeploymentRefused(`${service} may not assume ${roleArn}: ${trust.reason}`);
}
