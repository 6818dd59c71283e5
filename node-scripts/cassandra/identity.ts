// What the host remembers of its node from when it was up, for when it is down.
import { z } from 'zod';
import { parseDocument } from '../../contracts/documents.ts';
import { readIfThere, writeDurably } from '../durable-files.ts';
import type { HostPaths } from '../host-paths.ts';

const identity = z.strictObject({
  formatVersion: z.literal(1),
  hostId: z.uuid(),
  clusterName: z.string(),
  datacenter: z.string(),
  rack: z.string(),
  address: z.string(),
  cassandraVersion: z.string(),
  readableFormats: z.array(z.string()),
  directories: z.strictObject({
    data: z.array(z.string()).min(1),
    commitLog: z.string(),
    hints: z.string(),
    savedCaches: z.string(),
  }),
});
export type NodeIdentity = z.infer<typeof identity>;

export async function rememberIdentity(
  paths: HostPaths,
  node: Omit<NodeIdentity, 'formatVersion'>,
): Promise<void> {
  const content = JSON.stringify({ formatVersion: 1, ...node });
  if (content !== (await readIfThere(paths.identity))) await writeDurably(paths.identity, content);
}

export async function rememberedIdentity(paths: HostPaths): Promise<NodeIdentity | undefined> {
  const content = await readIfThere(paths.identity);
  return content === undefined ? undefined : parseDocument(identity, content, paths.identity);
}
