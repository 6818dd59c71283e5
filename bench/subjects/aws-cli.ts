// `aws s3 sync`.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { awsEnvironment, program, versionOf } from './peer.ts';
import type { Subject } from './subject.ts';

function awsCli(form: string, settings: string[]): Subject {
  return {
    name: form === 'default' ? 'aws s3 sync' : 'aws s3 sync, tuned',
    tool: 'aws s3 sync',
    form: form === 'default' ? form : settings.join(', '),
    version: () => versionOf('aws', '--version'),
    async begin({ vault, bucket, directory }) {
      const configuration = join(directory, 'aws-config');
      const nested = settings.map((line) => `    ${line}`);
      const lines = ['[default]', ...(nested.length > 0 ? ['s3 =', ...nested] : []), ''];
      await writeFile(configuration, lines.join('\n'));
      const env = {
        ...awsEnvironment(vault),
        AWS_CONFIG_FILE: configuration,
        ...(vault.certificate && { AWS_CA_BUNDLE: vault.certificate }),
      };
      const sync = (from: string, to: string) => ({
        file: program('aws'),
        args: ['s3', 'sync', '--only-show-errors', '--endpoint-url', vault.url, from, to],
        env,
      });
      return {
        backup: async (_, tree) => sync(tree, `s3://${bucket}/tree`),
        restore: async (target) => sync(`s3://${bucket}/tree`, target),
      };
    },
  };
}

export const awsCliForms = [
  awsCli('default', []),
  awsCli('tuned', [
    'max_concurrent_requests = 20',
    'multipart_threshold = 64MB',
    'multipart_chunksize = 16MB',
  ]),
];
