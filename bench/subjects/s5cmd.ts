// s5cmd sync.
import { awsEnvironment, program, versionOf } from './peer.ts';
import type { Subject } from './subject.ts';

function s5cmd(form: string, globals: string[], options: string[]): Subject {
  return {
    name: form === 'default' ? 's5cmd' : 's5cmd, tuned',
    tool: 's5cmd',
    form: form === 'default' ? form : [...globals, ...options].join(' '),
    version: () => versionOf('s5cmd', 'version'),
    async begin({ vault, bucket }) {
      const command = (...args: string[]) => ({
        file: program('s5cmd'),
        args: ['--log', 'error', '--endpoint-url', vault.url, ...globals, ...args],
        env: awsEnvironment(vault),
      });
      return {
        backup: async (_, tree) => command('sync', ...options, `${tree}/`, `s3://${bucket}/tree/`),
        restore: async (target) => command('sync', ...options, `s3://${bucket}/tree/*`, `${target}/`),
      };
    },
  };
}

export const s5cmdForms = [
  s5cmd('default', [], []),
  s5cmd('tuned', ['--numworkers', '16'], ['--concurrency', '4', '--part-size', '16']),
];
