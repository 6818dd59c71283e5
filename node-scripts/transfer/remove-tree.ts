// Deletes trees in whose directories Cassandra's user may put links meanwhile: rm(1) goes down by descriptors, Node's own rm by paths.
import { lstat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { FileInTheWay, UnexpectedError } from '../../contracts/errors.ts';
import { runCommand } from '../cassandra/command.ts';
import { isMissingFile } from '../durable-files.ts';
import { openIfDirectory } from './owned-directories.ts';

/** Nothing where there is nothing; of a link the link alone. @throws FileInTheWay where the directory above is a link; UnexpectedError */
export async function removeTree(path: string): Promise<void> {
  const above = await openIfDirectory(dirname(path));
  if (!above) return mustNotBeThere(dirname(path));
  try {
    const held = `/proc/${process.pid}/fd/${above.fd}/${basename(path)}`;
    const { failed, lastWords } = await runCommand(['rm', '-rf', '--', held]);
    if (failed) throw new UnexpectedError(`rm -rf ${path}: ${lastWords}`);
  } finally {
    await above.close();
  }
}

async function mustNotBeThere(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (!isMissingFile(error)) throw error;
  });
  if (found) throw new FileInTheWay(`${path}: it is there, expected nothing, or a directory`);
}
