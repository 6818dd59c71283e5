// The stack as an app: the same bytes twice, no account needed, cdk-nag content, and usable in somebody else's app.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, expect, it } from 'vitest';
import { acknowledgeFindings } from '../../infra/acknowledgements.ts';
import { parseConfiguration } from '../../infra/configuration.ts';
import { CassandraBackup } from '../../infra/constructs/cassandra-backup.ts';
import { exampleApp, exampleStack } from './synthesized.ts';

const directories: string[] = [];
afterAll(() => {
  for (const each of directories) rmSync(each, { recursive: true, force: true });
});

function synthesize(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ringvault-synth-'));
  directories.push(directory);
  const app = exampleApp(directory);
  exampleStack(app);
  app.synth();
  return directory;
}

it('synthesizes to the same bytes twice, for any account', () => {
  const [first, second] = [synthesize(), synthesize()];
  expect(readdirSync(first)).toEqual(readdirSync(second));
  for (const file of ['Ringvault.template.json', 'Ringvault.assets.json']) {
    expect(readFileSync(join(first, file))).toEqual(readFileSync(join(second, file)));
  }
  expect(readFileSync(join(first, 'manifest.json'), 'utf8')).toContain(
    'aws://unknown-account/unknown-region',
  );
});

it('passes cdk-nag’s AwsSolutions, and would not with a wildcard that has no reason', () => {
  const checked = (change: (stack: Stack) => void) => {
    const app = exampleApp();
    change(exampleStack(app));
    acknowledgeFindings(app);
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    return () => app.synth();
  };
  expect(checked(() => {})).not.toThrow();
  const wildcard = checked((stack) => {
    const role = new Role(stack, 'Careless', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    role.addToPolicy(new PolicyStatement({ actions: ['s3:*'], resources: ['*'] }));
  });
  expect(wildcard).toThrow(/[Vv]alidation failed/);
});

it('is a construct for another app, with a vault prefix and two clusters', () => {
  const cluster = (name: string) => `
  ${name}:
    hosts: { tag: { key: cassandra, value: ${name} } }
    datacenter: dc1
    cassandra:
      cql: { credentialsSecretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:${name}-AbCdEf" }
    notifications: { emails: [both@example.com] }`;
  const configuration = parseConfiguration(
    `vault: { prefix: "backups/cassandra/" }\nclusters:${cluster('orders')}${cluster('users')}`,
  );
  const stack = new Stack(new App(), 'Platform');
  const { backup, hostPolicies } = new CassandraBackup(stack, 'Backups', { configuration });
  const instances = new Role(stack, 'Instances', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
  for (const policy of hostPolicies.values()) instances.addManagedPolicy(policy);
  expect(backup.stateMachineArn).toBeDefined();

  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::StepFunctions::StateMachine', 3);
  template.hasResourceProperties('AWS::StepFunctions::StateMachine', {
    StateMachineName: 'Platform-Backups-Backup',
  });
  template.resourceCountIs('AWS::IAM::ManagedPolicy', 2);
  template.hasResourceProperties('AWS::SNS::Subscription', {
    FilterPolicy: { clusterId: ['orders', 'users', { exists: false }] },
  });
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: Match.objectLike({ RINGVAULT_PREFIX: 'backups/cassandra/' }) },
  });
  const policies = JSON.stringify(template.findResources('AWS::IAM::ManagedPolicy'));
  expect(policies).toContain('/backups/cassandra/clusters/orders/objects/*');
  expect(policies).toContain('/backups/cassandra/clusters/users/objects/*');
});
