// The SSM documents that bring an action to a host: `action` starts it, `prepare-<architecture>` installs the bundle
// first, unless it is there. Their parameters show in consoles and events: identifiers, nothing else.
// And how a document of ours is made.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Aws, Fn, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { z } from 'zod';
import { actionId, runId } from '../../contracts/identifiers.ts';
import type { HostArchitecture, HostBundle } from '../host-bundle/host-bundle.ts';
import { PROJECT_ROOT } from '../project-root.ts';

export interface DocumentsProps {
  bucket: IBucket;
  prefix: string;
  /** Of the architectures that clusters have. */
  bundles: ReadonlyMap<HostArchitecture, HostBundle>;
}

const PARAMETERS = {
  runId: parameter('The run that the action belongs to.', runId),
  actionId: parameter('The action: its document lies in the vault, under the host’s own prefix.', actionId),
};

export class Documents extends Construct {
  readonly arns: string[] = [];
  /** Tells StartAction the documents' names. */
  readonly environment: Record<string, string> = {};

  private readonly props: DocumentsProps;

  constructor(scope: Construct, id: string, props: DocumentsProps) {
    super(scope, id);
    this.props = props;
    this.add('Action', 'RINGVAULT_ACTION_DOCUMENT', 'Ringvault: starts an action on a host.', [
      this.script('startAction', 'action.sh'),
    ]);
    for (const [architecture, bundle] of props.bundles) {
      const name = architecture.toUpperCase();
      this.add(
        `Prepare${name}`,
        `RINGVAULT_PREPARE_${name}_DOCUMENT`,
        `Ringvault: installs the host program (${architecture}) unless it is there, and starts an action.`,
        [
          this.script('startIfInstalled', 'start-if-installed.sh', { onFailure: 'successAndExit' }),
          download(bundle),
          this.script('installAndStart', 'install-and-start.sh', {}, bundle),
        ],
      );
    }
  }

  private add(id: string, variable: string, description: string, mainSteps: unknown[]): void {
    const { name, arn } = commandDocument(this, id, { description, parameters: PARAMETERS, mainSteps });
    this.arns.push(arn);
    this.environment[variable] = name;
  }

  private script(name: string, file: string, inputs: object = {}, bundle?: HostBundle): object {
    const { bucket, prefix, bundles } = this.props;
    const values: Record<string, string> = {
      BUCKET: bucket.bucketName,
      PREFIX: prefix,
      REGION: Aws.REGION,
      PARTITION: Aws.PARTITION,
      ACCOUNT: Aws.ACCOUNT_ID,
      DIGEST_X64: bundles.get('x64')?.sha256 ?? '',
      DIGEST_ARM64: bundles.get('arm64')?.sha256 ?? '',
      ARCHITECTURES: [...bundles.keys()].join(' '),
      ARCHIVE: bundle ? archiveName(bundle) : '',
    };
    return shellScript(name, ['preamble.sh', file], values, { timeoutSeconds: '600', ...inputs });
  }
}

/** A document for Run Command. */
export function commandDocument(
  scope: Construct,
  id: string,
  content: { description: string; parameters: Record<string, object>; mainSteps: unknown[] },
): { name: string; arn: string } {
  const { ref: name } = new CfnDocument(scope, id, {
    documentType: 'Command',
    documentFormat: 'JSON',
    targetType: '/AWS::EC2::Instance',
    content: { schemaVersion: '2.2', ...content },
  });
  return {
    name,
    arn: Stack.of(scope).formatArn({ service: 'ssm', resource: 'document', resourceName: name }),
  };
}

/** What it takes to send documents to the instances that have one of the values of a tag. */
export function sendStatements(
  stack: Stack,
  documentArns: string[],
  tags: ReadonlyMap<string, readonly string[]>,
): PolicyStatement[] {
  const actions = ['ssm:SendCommand'];
  const instances = stack.formatArn({ service: 'ec2', resource: 'instance', resourceName: '*' });
  return [
    new PolicyStatement({ actions, resources: documentArns }),
    ...[...tags].map(([key, values]) => {
      const conditions = { StringEquals: { [`ssm:resourceTag/${key}`]: [...values] } };
      return new PolicyStatement({ actions, resources: [instances], conditions });
    }),
  ];
}

/** @param files of infra/documents, one after another; `values` for what stands between @ in them */
export function shellScript(
  name: string,
  files: readonly string[],
  values: Readonly<Record<string, string>>,
  inputs: { timeoutSeconds: string },
): object {
  const runCommand = files
    .map(read)
    .join('\n')
    .trimEnd()
    .split('\n')
    .map((line) => line.replaceAll(/@([A-Z0-9_]+)@/g, (_, key: string) => required(values, key, files)));
  return { action: 'aws:runShellScript', name, inputs: { runCommand, ...inputs } };
}

function download({ asset }: HostBundle): object {
  return {
    action: 'aws:downloadContent',
    name: 'download',
    // Into the command's own directory, where the next step's script begins.
    inputs: {
      sourceType: 'S3',
      sourceInfo: Fn.join('', ['{"path":"', asset.httpUrl, '"}']),
      onFailure: 'exit',
    },
  };
}

/** As the agent names what it downloaded. */
function archiveName({ asset }: HostBundle): string {
  return basename(asset.s3ObjectKey);
}

function parameter(description: string, schema: z.ZodString): object {
  const { pattern } = z.toJSONSchema(schema);
  return { type: 'String', description, allowedPattern: pattern };
}

function read(file: string): string {
  return readFileSync(join(PROJECT_ROOT, 'infra/documents', file), 'utf8');
}

function required(values: Readonly<Record<string, string>>, key: string, files: readonly string[]): string {
  const value = values[key];
  if (value === undefined)
    throw new Error(`infra/documents/${files.at(-1)}: got @${key}@, expected ${Object.keys(values)}`);
  return value;
}
