// What `npm run demo -- --keep` prints at its end: commands to paste.
import type { Installation } from '../installation.ts';

export function explorationGuide({ cloud, clusters }: Installation): string {
  const outputs = Object.assign({}, ...[...cloud.stacks.stacks.values()].map((stack) => stack.outputs));
  const exports = Object.entries(cloud.environment)
    .filter(([name]) => name !== 'AWS_ENDPOINT_URL')
    .map(([name, value]) => `export ${name}=${value}`);
  const aws = `aws --endpoint-url ${cloud.endpoint.url}`;
  const ringvault = `npx ringvault --endpoint-url ${cloud.endpoint.url}`;
  const nodes = [...clusters.values()].flatMap(({ cassandra }) => cassandra.nodes);
  return [
    '',
    'It stays up until Ctrl-C. In another terminal, in this folder:',
    '',
    'unset AWS_PROFILE AWS_SESSION_TOKEN',
    ...exports,
    '',
    `${aws} s3 ls s3://${outputs['VaultBucket']}/clusters/ --recursive`,
    `${aws} stepfunctions list-executions --state-machine-arn ${outputs['BackupArn']}`,
    `${aws} stepfunctions start-execution --state-machine-arn ${outputs['BackupArn']} --input '{"clusterId":"demo"}'`,
    `${aws} dynamodb scan --table-name ${outputs['CatalogTable']}`,
    '',
    `${ringvault} list`,
    `${ringvault} backup demo`,
    `${ringvault} restore demo --dry-run`,
    `${ringvault} undo demo`,
    '',
    ...nodes.map(({ binDirectory }) => `${binDirectory}/nodetool status`),
  ].join('\n');
}
