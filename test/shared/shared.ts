// Where a test file gets what made-once.ts makes. Files keep apart by the names of their buckets and tables.
import { inject } from 'vitest';
import type { StorageServers } from '../../local/servers/storage-servers.ts';
import type { Made, MadeName } from './made-once.ts';

/** @throws where it could not be made, with the reason */
export async function shared<Name extends MadeName>(name: Name): Promise<Made<Name>> {
  const answer = await fetch(`${inject('madeOnceUrl')}/${name}`);
  if (!answer.ok) throw new Error(`${name}: ${await answer.text()}`);
  return (await answer.json()) as Made<Name>;
}

/** For an endpoint of the test file's own. */
export async function sharedStorage(): Promise<StorageServers> {
  const [s3proxy, dynamoDb] = await Promise.all([shared('s3proxy'), shared('dynamoDb')]);
  return { s3proxy, dynamoDb, stop: async () => {} };
}
