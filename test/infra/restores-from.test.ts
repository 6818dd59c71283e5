// What `restoresFrom` opens to a cluster's hosts: the named clusters' backups and keys, to read.
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { expect, it } from 'vitest';
import { parseConfiguration } from '../../infra/configuration.ts';
import { CassandraBackup } from '../../infra/constructs/cassandra-backup.ts';
import { actionsOf, resourcesOf, resourceTexts, statementsOf } from './synthesized.ts';

const kmsKey = (name: string) => `arn:aws:kms:eu-west-1:111122223333:key/${name}`;
const cluster = (name: string, more = '') => `
  ${name}:
    hosts: { tag: { key: cassandra, value: ${name} } }
    datacenters: [dc1]
    cassandra:
      cql: { credentialsSecretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:${name}-AbCdEf" }
    encryption: { clientSide: true, kmsKeyArn: "${kmsKey(name)}" }
    ${more}`;
const configuration = parseConfiguration(
  `vaults:
  dr: { bucket: copies, prefix: old/, region: eu-central-1, account: "444455556666", kmsKeyArns: ["${kmsKey('dr')}"] }
clusters:${cluster('orders')}${cluster('users')}${cluster('copy', 'restoresFrom: [orders]')}${cluster('far', 'restoresFrom: [{ cluster: orders, vault: dr }]')}`,
);
const stack = new Stack(new App(), 'Platform');
new CassandraBackup(stack, 'Backups', { configuration });
const template = Template.fromStack(stack);

/** What the hosts of a cluster may do with an action, as resources and conditions. */
function allowed(clusterId: string, action: string): string[] {
  return resourcesOf('AWS::IAM::ManagedPolicy', template)
    .filter(([, { Properties }]) =>
      String(Properties['Description']).endsWith(`hosts of ${clusterId} may do`),
    )
    .flatMap(([, { Properties }]) => statementsOf(Properties['PolicyDocument']))
    .filter((each) => actionsOf(each).includes(action))
    .flatMap((each) =>
      resourceTexts(each).map((resource) => `${resource} ${JSON.stringify(each.Condition ?? {})}`),
    );
}

it('lets hosts read the backups of the clusters named, and write nothing of theirs', () => {
  const read = allowed('copy', 's3:GetObject').join('\n');
  expect(read).toMatch(/clusters\/orders\/objects\/\*/);
  expect(read).toMatch(/clusters\/orders\/backups\/\*/);
  expect(read).not.toContain('users');
  const written = ['s3:PutObject', 's3:AbortMultipartUpload', 'kms:GenerateDataKey'];
  expect(written.flatMap((action) => allowed('copy', action)).join('\n')).not.toContain('orders');
});

it('lets them unwrap data keys that are bound to those clusters', () => {
  const decrypts = allowed('copy', 'kms:Decrypt').filter((each) => each.includes(kmsKey('orders')));
  expect(decrypts).toEqual([
    expect.stringContaining('"kms:ViaService"'),
    `${kmsKey('orders')} {"StringEquals":{"kms:EncryptionContext:ringvault:cluster":["orders"]}}`,
  ]);
});

it('lets them read, in another vault, the backups of the cluster named, with that vault’s keys', () => {
  const read = allowed('far', 's3:GetObject').filter((each) => each.includes('orders'));
  expect(read).toEqual([
    expect.stringMatching(
      /:s3:::copies\/old\/clusters\/orders\/objects\/\* \{"StringEquals":\{"aws:ResourceAccount":\["444455556666"\]\}\}$/,
    ),
    expect.stringMatching(
      /:s3:::copies\/old\/clusters\/orders\/backups\/\* \{"StringEquals":\{"aws:ResourceAccount":\["444455556666"\]\}\}$/,
    ),
  ]);
  expect(allowed('far', 'kms:Decrypt').filter((each) => each.includes(kmsKey('dr')))).toEqual([
    `${kmsKey('dr')} {"StringEquals":{"kms:ViaService":"s3.eu-central-1.amazonaws.com"}}`,
    `${kmsKey('dr')} {"StringEquals":{"kms:EncryptionContext:ringvault:cluster":"orders"}}`,
  ]);
  expect(allowed('far', 'kms:Decrypt').join('\n')).not.toContain(kmsKey('orders'));
  expect(allowed('copy', 's3:GetObject').join('\n')).not.toContain('copies');
});

it('lets the two steps that read manifests read them there, and no other', () => {
  const readers = resourcesOf('AWS::IAM::Policy', template)
    .filter(([, { Properties }]) => JSON.stringify(Properties).includes(':s3:::copies'))
    .map(([name]) => name.replace(/^Backups(?:Steps)?|ServiceRole.*|DefaultPolicy.*|Role.*/g, ''));
  expect(readers.sort()).toEqual([
    expect.stringContaining('PlanRestore'),
    expect.stringContaining('VerifyRestore'),
  ]);
});

it('opens nothing the other way round', () => {
  const actions = ['s3:GetObject', 's3:PutObject', 'kms:Decrypt'];
  expect(actions.flatMap((action) => allowed('orders', action)).join('\n')).not.toContain('copy');
});
