// The functions that call clusters' applications, one for each cluster with a pause hook. By gRPC: in the applications' VPC, where it
// may do nothing in AWS but be there, so that the VPC needs no way out and no endpoint for it. Through Run Command: outside it, and
// it may send one document to the hosts with the applications' tag.
import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { CfnFunction, Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { RingvaultConfiguration } from '../../contracts/configuration.ts';
import { PAUSE_PROGRAM } from '../../contracts/limits.ts';
import type { CommandHook, GrpcHook, PauseHook } from '../../contracts/pause.ts';
import { commandDocument, sendStatements, shellScript } from './documents.ts';
import { bundleSteps } from './step-bundles.ts';
import { stepFunction } from './step-function.ts';

/** What Lambda itself does with the function's role. Source: its guide, "Giving Lambda functions access to a VPC". */
const NETWORK_INTERFACES = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];
/** They know no resources. */
const RUN_COMMAND = ['ssm:DescribeInstanceInformation', 'ssm:GetCommandInvocation', 'ssm:CancelCommand'];

export class ApplicationCallers extends Construct {
  private readonly functions = new Map<string, Lambda>();

  constructor(
    scope: Construct,
    id: string,
    props: { configuration: RingvaultConfiguration; bucket: IBucket },
  ) {
    super(scope, id);
    for (const [clusterId, { pause }] of Object.entries(props.configuration.clusters)) {
      if (pause?.grpc) this.addInVpc(clusterId, pause.grpc, props.bucket);
      if (pause?.command) this.addWithDocument(clusterId, pause, pause.command, props.bucket);
    }
  }

  private addInVpc(clusterId: string, { vpc }: GrpcHook, bucket: IBucket): void {
    const functions = Stack.of(this).formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: '*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    const statements = [
      new PolicyStatement({ actions: NETWORK_INTERFACES, resources: ['*'] }),
      // Lambda may, the function's own code may not.
      new PolicyStatement({
        effect: Effect.DENY,
        actions: NETWORK_INTERFACES,
        resources: ['*'],
        conditions: { ArnLike: { 'lambda:SourceFunctionArn': functions } },
      }),
    ];
    const made = this.add(clusterId, bucket, statements);
    // By their IDs: a VPC as a construct would want to know its zones at synth.
    (made.node.defaultChild as CfnFunction).vpcConfig = vpc;
  }

  private addWithDocument(
    clusterId: string,
    { waitSeconds, waitOutstanding }: PauseHook,
    { tag, program }: CommandHook,
    bucket: IBucket,
  ): void {
    const values = {
      PROGRAM: program,
      WAIT_SECONDS: String(waitSeconds),
      WAIT_OUTSTANDING: String(waitOutstanding),
    };
    // One for all three calls: `resume` and `check` have no less, however short a pause may take.
    const timeoutSeconds = String(Math.max(waitSeconds + PAUSE_PROGRAM.script, PAUSE_PROGRAM.answer));
    const call = {
      type: 'String',
      description: 'What is asked.',
      allowedValues: ['pause', 'resume', 'check'],
    };
    const document = commandDocument(this, `${clusterId}Document`, {
      description: `Ringvault: pauses and resumes the applications of ${clusterId}.`,
      parameters: { call },
      mainSteps: [shellScript('callProgram', ['applications.sh'], values, { timeoutSeconds })],
    });
    const statements = [
      new PolicyStatement({ actions: RUN_COMMAND, resources: ['*'] }),
      ...sendStatements(Stack.of(this), [document.arn], new Map([[tag.key, [tag.value]]])),
    ];
    this.add(clusterId, bucket, statements, { RINGVAULT_APPLICATIONS_DOCUMENT: document.name });
  }

  private add(
    clusterId: string,
    { bucketName }: IBucket,
    statements: PolicyStatement[],
    environment: Record<string, string> = {},
  ): Lambda {
    const made = stepFunction(this, clusterId, {
      description: `Ringvault: pauses and resumes the applications of ${clusterId}`,
      bundle: bundleSteps([], {}).CallApplications,
      statements,
      environment: { RINGVAULT_BUCKET: bucketName, ...environment },
    });
    this.functions.set(clusterId, made);
    return made;
  }

  get arns(): string[] {
    return [...this.functions.values()].map(({ functionArn }) => functionArn);
  }

  /** Cluster ID → name, as JSON. */
  toJson(): string {
    return Stack.of(this).toJsonString(
      Object.fromEntries(
        [...this.functions].map(([clusterId, { functionName }]) => [clusterId, functionName]),
      ),
    );
  }
}
