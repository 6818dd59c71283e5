// restic backup and restore. Making the repository is not measured.
import { join } from 'node:path';
import { execa } from 'execa';
import { awsEnvironment, program, versionOf } from './peer.ts';
import type { Subject } from './subject.ts';

function restic(form: string, globals: string[], ofBackup: string[]): Subject {
  return {
    name: form === 'default' ? 'restic' : 'restic, tuned',
    tool: 'restic',
    form: form === 'default' ? form : [...globals, ...ofBackup].join(' '),
    version: () => versionOf('restic', 'version'),
    async begin({ vault, bucket, directory }) {
      const env = {
        ...awsEnvironment(vault),
        RESTIC_REPOSITORY: `s3:${vault.url}/${bucket}/restic`,
        RESTIC_PASSWORD: 'bench',
        RESTIC_CACHE_DIR: join(directory, 'restic-cache'),
      };
      const options = ['--quiet', '-o', 's3.bucket-lookup=path', ...globals];
      await execa(program('restic'), [...options, 'init'], { env });
      return {
        backup: async (_, tree) => ({
          file: program('restic'),
          args: [...options, 'backup', '--host', 'bench', ...ofBackup, '.'],
          env,
          cwd: tree,
        }),
        restore: async (target) => ({
          file: program('restic'),
          args: [...options, 'restore', 'latest', '--target', target],
          env,
        }),
      };
    },
  };
}

export const resticForms = [
  restic('default', [], []),
  restic(
    'tuned',
    ['-o', 's3.connections=8', '--compression', 'off', '--pack-size', '64'],
    ['--ignore-ctime'],
  ),
];
