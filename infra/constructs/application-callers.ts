// The functions that call a cluster's applications, one in the VPC of each cluster with a pause hook. They may do nothing in AWS but
// be there, so that the VPC needs no way out and no endpoint for them.
import { Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { CfnFunction, Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { RingvaultConfiguration } from '../../contracts/configuration.ts';
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

export class ApplicationCallers extends Construct {
  private readonly functions = new Map<string, Lambda>();

  constructor(
    scope: Construct,
    id: string,
    props: { configuration: RingvaultConfiguration; bucket: IBucket },
  ) {
    super(scope, id);
    for (const [clusterId, { pause }] of Object.entries(props.configuration.clusters)) {
      if (!pause) continue;
      const made = stepFunction(this, clusterId, {
        description: `Ringvault: pauses and resumes the applications of ${clusterId}`,
        bundle: bundleSteps([], {}).CallApplications,
        statements: [new PolicyStatement({ actions: NETWORK_INTERFACES, resources: ['*'] })],
        environment: { RINGVAULT_BUCKET: props.bucket.bucketName },
      });
      // By their IDs: a VPC as a construct would want to know its zones at synth.
      (made.node.defaultChild as CfnFunction).vpcConfig = pause.grpc.vpc;
      this.functions.set(clusterId, made);
    }
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
