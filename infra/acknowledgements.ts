// Findings of cdk-nag's AwsSolutions that stand, each with its reason. What matches nothing here fails the synth.
import { Aspects, CfnResource, type IAspect, Validations } from 'aws-cdk-lib';
import { rules } from 'cdk-nag';
import type { Construct, IConstruct } from 'constructs';

interface Wildcard {
  /** Of the policy that holds the wildcard. */
  path: RegExp;
  /** The finding, as cdk-nag words it. */
  finding: RegExp;
  reason: string;
}

const WILDCARDS: readonly Wildcard[] = [
  {
    path: /\/(?:Steps|HostPolicy-|Workflows)/,
    finding: /^Resource::<\w*VaultBucket\w+\.Arn>\/.+/,
    reason: 'Keys name runs, hosts and hashes that exist later; the pattern names one part of the vault.',
  },
  {
    path: /\/(?:Steps\/(?:PlanRestore|VerifyRestore)Role|HostPolicy-)/,
    finding: /^Resource::arn:.+:s3:::[\w.-]+\/.*clusters\/[\w-]+\/(?:objects|backups)\/\*$/,
    reason:
      'What lies there has names of hashes and runs; the pattern names one cluster’s part of another vault.',
  },
  {
    path: /\/Workflows\/\w+\/Machine\/Role|SchedulerRoleForTarget/,
    finding: /^Resource::<\w*Steps\w+\.Arn>:\*$/,
    reason: 'Versions of the one function that the state or schedule invokes, as the CDK grants them.',
  },
  {
    path: /\/HostPolicy-/,
    finding: /^Resource::arn:.+:stateMachine:[\w-]+-(?:Backup|Restore|Register|Recover)\/\*$/,
    reason: 'Child executions of the machine’s own Distributed Maps, named by label.',
  },
  {
    path: /\/Steps\/|\/Workflows\//,
    finding: /^Resource::arn:.+:execution:.+\*$/,
    reason: 'Executions of our own machines, which are named when they start.',
  },
  {
    path: /\/Steps\/(?:Pause|Resume)ApplicationsRole\//,
    finding: /^Resource::arn:.+:schedule\/[\w-]+\/\*$/,
    reason: 'Switches that are named by their runs, in a group of their own.',
  },
  {
    path: /\/Applications\/[\w-]+Role\//,
    finding: /^Resource::\*$/,
    reason:
      'By its role Lambda makes the network interfaces of a function in a VPC, which have no names before; or the three calls of SSM that know no resources.',
  },
  {
    path: /\/Applications\/[\w-]+Role\//,
    finding: /^Resource::arn:.+:ec2:.+:instance\/\*$/,
    reason: 'Restricted by its condition to instances with the tag of the cluster’s applications.',
  },
  {
    path: /\/Steps\/StartActionRole\//,
    finding: /^Resource::arn:.+:ec2:.+:instance\/\*$/,
    reason: 'Restricted by its condition to instances with the tags of the configured clusters.',
  },
  {
    path: /\/Steps\/(?:DiscoverHosts|FailAction)Role\//,
    finding: /^Resource::\*$/,
    reason: 'ssm:DescribeInstanceInformation and ssm:GetCommandInvocation know no resources.',
  },
  {
    path: /\/Workflows\/\w+\/Machine\/Role\//,
    finding: /^Resource::\*$/,
    reason: 'X-Ray and the delivery of vended logs know no resources; the CDK grants them to a machine.',
  },
];

const RESOURCES = [
  {
    id: 'AwsSolutions-S1',
    path: /\/Vault\/Bucket\/Resource$/,
    reason: 'Access logs cost and grow without end; who wants them turns CloudTrail’s data events on.',
  },
  {
    id: 'AwsSolutions-SQS3',
    path: /\/Schedules\/DeadLetters\/Resource$/,
    reason: 'This is the dead-letter queue.',
  },
] as const;

/** To be called once on the app or stack that cdk-nag checks. */
export function acknowledgeFindings(scope: Construct): void {
  Aspects.of(scope).add(new Acknowledge());
}

class Acknowledge implements IAspect {
  visit(node: IConstruct): void {
    if (!(node instanceof CfnResource)) return;
    const { path } = node.node;
    for (const each of RESOURCES) {
      if (each.path.test(path)) Validations.of(node).acknowledge({ id: each.id, reason: each.reason });
    }
    const findings = rules.iam.IAMNoWildcardPermissions(node);
    if (!Array.isArray(findings)) return;
    for (const finding of findings) {
      const known = WILDCARDS.find((each) => each.path.test(path) && each.finding.test(finding));
      if (!known) continue;
      Validations.of(node).acknowledge({ id: `AwsSolutions-IAM5[${finding}]`, reason: known.reason });
    }
  }
}
