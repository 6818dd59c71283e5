// rclone copy.
import { program, trust, versionOf } from './peer.ts';
import type { Subject } from './subject.ts';

function rclone(form: string, options: string[]): Subject {
  return {
    name: form === 'default' ? 'rclone' : 'rclone, tuned',
    tool: 'rclone',
    form: form === 'default' ? form : options.join(' '),
    version: () => versionOf('rclone', 'version'),
    async begin({ vault, bucket }) {
      const env = {
        ...trust(vault),
        RCLONE_CONFIG: '/dev/null',
        RCLONE_CONFIG_VAULT_TYPE: 's3',
        RCLONE_CONFIG_VAULT_PROVIDER: 'Other',
        RCLONE_CONFIG_VAULT_ENDPOINT: vault.url,
        RCLONE_CONFIG_VAULT_REGION: vault.region,
        RCLONE_CONFIG_VAULT_ACCESS_KEY_ID: vault.credentials.accessKeyId,
        RCLONE_CONFIG_VAULT_SECRET_ACCESS_KEY: vault.credentials.secretAccessKey,
        RCLONE_CONFIG_VAULT_FORCE_PATH_STYLE: 'true',
      };
      const copy = (from: string, to: string) => ({
        file: program('rclone'),
        args: ['copy', '--quiet', ...options, from, to],
        env,
      });
      return {
        backup: async (_, tree) => copy(tree, `vault:${bucket}/tree`),
        restore: async (target) => copy(`vault:${bucket}/tree`, target),
      };
    },
  };
}

const TUNED =
  '--fast-list --update --use-server-modtime --transfers 8 --checkers 16 --s3-no-check-bucket --s3-no-head ' +
  '--s3-chunk-size 16M --s3-upload-concurrency 4';
export const rcloneForms = [rclone('default', []), rclone('tuned', TUNED.split(' '))];
