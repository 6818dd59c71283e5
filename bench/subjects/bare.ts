// The bare client as a subject.
import { join } from 'node:path';
import { source } from '../paths.ts';
import { awsEnvironment } from './peer.ts';
import type { Subject } from './subject.ts';

export const bareClient: Subject = {
  name: 'bare PUT/GET client',
  tool: 'bare',
  form: 'node:http, 8 at once, no hash: the limit',
  copiesOnly: true,
  version: async () => `Node ${process.version}`,
  async begin({ vault, bucket, directory }) {
    const command = (verb: string, tree: string) => ({
      file: process.execPath,
      args: [source('subjects/bare-client.ts'), verb, vault.url, bucket, tree, join(directory, 'list.json')],
      env: awsEnvironment(vault),
    });
    return {
      backup: async (_, tree) => command('put', tree),
      restore: async (target) => command('get', target),
    };
  },
};
