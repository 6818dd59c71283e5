// The stack as an app: the same bytes twice, no account needed, cdk-nag content, and usable in somebody else's app.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, expect, it } from 'vitest';
import { acknowledgeFindings } from '../../infra/acknowledgements.ts';
import { parseConfiguration, readConfiguration } from '../../infra/configuration.ts';
import { CassandraBackup } from '../../infra/constructs/cassandra-backup.ts';
import { RingvaultStack } from '../../infra/ringvault-stack.ts';
import { shared } from '../shared/shared.ts';
import { exampleApp } from './synthesized.ts';

const directories: string[] = [];
afterAll(() => {
  for (const each of directories) rmSync(each, { recursive: true, force: true });
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ringvault-synth-'));
  directories.push(directory);
  return directory;
}

it('synthesizes offline, without an account, past cdk-nag, and to the same bytes in another process', async () => {
  const ours = newDirectory();
  const app = exampleApp(ours);
  new RingvaultStack(app, 'Ringvault', { configuration: readConfiguration('ringvault.yaml') });
  app.synth();
  const { directory: theirs, stderr } = await shared('assembly');
  expect(stderr).toBe('');
  for (const file of ['Ringvault.template.json', 'Ringvault.assets.json']) {
    expect(readFileSync(join(ours, file)).equals(readFileSync(join(theirs, file)))).toBe(true);
  }
  expect(readFileSync(join(ours, 'manifest.json'), 'utf8')).toContain('aws://unknown-account/unknown-region');
}, 180_000);

it('does not pass cdk-nag with a wildcard that has no reason', () => {
  const app = exampleApp();
  const role = new Role(new Stack(app, 'Careless'), 'Role', {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
  });
  role.addToPolicy(new PolicyStatement({ actions: ['s3:*'], resources: ['*'] }));
  acknowledgeFindings(app);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  expect(() => app.synth()).toThrow(/AwsSolutions-IAM5\[Action::s3:\*\]/);
});

it('is a construct for another app, with a vault prefix and two clusters', () => {
  const cluster = (name: string) => `
  ${name}:
    hosts: { tag: { key: cassandra, value: ${name} } }
    datacenters: [dc1]
    cassandra:
      cql: { credentialsSecretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:${name}-AbCdEf" }
    notifications: { emails: [both@example.com] }`;
  const kmsKey = (name: string) => `arn:aws:kms:eu-west-1:111122223333:key/${name}`;
  const keys = `kmsKeyArn: "${kmsKey('own')}", formerKmsKeyArns: ["${kmsKey('former')}"]`;
  const configuration = parseConfiguration(
    `vault: { prefix: "backups/cassandra/" }\nclusters:${cluster('orders')}${cluster('users')}
    schedules:
      - { name: part, kind: snapshot, expression: rate(1 hour), datacenter: dc1, keyspaces: { include: [app] } }
      - { name: night, kind: snapshot, expression: cron(0 1 * * ? *), flexible: true, windowMinutes: 90 }
    encryption: { clientSide: true, ${keys} }`,
  );
  const stack = new Stack(new App(), 'Platform');
  const { backup, hostPolicies } = new CassandraBackup(stack, 'Backups', { configuration });
  const instances = new Role(stack, 'Instances', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
  for (const policy of hostPolicies.values()) instances.addManagedPolicy(policy);
  expect(backup.stateMachineArn).toBeDefined();

  const template = Template.fromStack(stack);
  const chosen = { clusterId: 'users', kind: 'snapshot', datacenter: 'dc1', keyspaces: { include: ['app'] } };
  template.hasResourceProperties('AWS::Scheduler::Schedule', {
    Target: { Input: Match.serializedJson(Match.objectLike(chosen)) },
  });
  template.resourceCountIs('AWS::StepFunctions::StateMachine', 4);
  template.hasResourceProperties('AWS::StepFunctions::StateMachine', {
    StateMachineName: Match.stringLikeRegexp('^Platform-Backups-[0-9A-F]+-Backup$'),
  });
  template.resourceCountIs('AWS::IAM::ManagedPolicy', 2);
  template.hasResourceProperties('AWS::SNS::Subscription', {
    FilterPolicy: { clusterId: ['orders', 'users', 'unknown', { exists: false }] },
  });
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: Match.objectLike({ RINGVAULT_PREFIX: 'backups/cassandra/' }) },
  });
  template.hasResourceProperties('AWS::Scheduler::Schedule', {
    FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 90 },
    Target: { RetryPolicy: { MaximumEventAgeInSeconds: 5400 } },
  });
  // The other cluster brings its own.
  template.resourceCountIs('AWS::KMS::Key', 1);
  const ofUsers = { StringEquals: { 'kms:EncryptionContext:ringvault:cluster': ['users'] } };
  const Statement = [
    { Action: 'kms:Decrypt', Resource: [kmsKey('own'), kmsKey('former')], Condition: ofUsers },
    { Action: 'kms:GenerateDataKey', Resource: kmsKey('own'), Condition: ofUsers },
  ];
  template.hasResourceProperties('AWS::IAM::ManagedPolicy', {
    PolicyDocument: { Statement: Match.arrayWith(Statement.map((each) => Match.objectLike(each))) },
  });
  const policies = JSON.stringify(template.findResources('AWS::IAM::ManagedPolicy'));
  expect(policies).toContain('/backups/cassandra/clusters/orders/objects/*');
  expect(policies).toContain('/backups/cassandra/clusters/users/objects/*');
});
