// The classes that Cassandra and nodetool load, in the form in which the JVM maps them (class data sharing): a node and
// a nodetool start with it in about half the time. Made once a machine, by a node that serves nobody.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalServerFailed } from '../servers/errors.ts';
import { type Guard, guardNodes } from './guard.ts';
import type { CassandraVersion } from './jars.ts';
import { javaVersion } from './java.ts';
import type { JavaPaths } from './launch-scripts.ts';
import { claimNetwork, freeJmxPorts } from './network.ts';
import { createNode } from './node.ts';
import { dealTokens } from './ring.ts';

/**
 * `paths` with the options that map the archives, which are made where they are not there yet. The JVM itself leaves an
 * archive alone that does not fit its version or the jars.
 * @throws LocalServerFailed LocalToolFailed
 */
export async function withClassArchives(paths: JavaPaths, version: CassandraVersion): Promise<JavaPaths> {
  // 4.1 needs an agent, with which the JVM writes no archive.
  if (version.startsWith('4.')) return paths;
  const jvm = createHash('sha256').update(await javaVersion(paths.java));
  const directory = `${paths.jars}-classes-${jvm.digest('hex').slice(0, 16)}`;
  if (!(await isThere(directory))) await makeArchives(paths, version, directory);
  const use = (name: string) => [`-XX:SharedArchiveFile=${join(directory, name)}`];
  return { ...paths, serverOptions: use(SERVER), nodetoolOptions: use(NODETOOL) };
}

const SERVER = 'cassandra.jsa';
const NODETOOL = 'nodetool.jsa';

/** It appears by one rename: whole, or not at all. */
async function makeArchives(paths: JavaPaths, version: CassandraVersion, directory: string): Promise<void> {
  const work = await mkdtemp(`${directory}.making-`);
  const network = await claimNetwork(1);
  let guard: Guard | undefined;
  try {
    const [jmxPort = 0] = await freeJmxPorts(1);
    const make = (name: string) => [`-XX:ArchiveClassesAtExit=${join(work, 'archives', name)}`];
    const node = await createNode(
      {
        directory: join(work, 'node'),
        version,
        clusterName: 'classes',
        address: network.address(1),
        seeds: [network.address(1)],
        datacenter: 'dc1',
        rack: 'rack1',
        tokens: dealTokens(1, 1)[0] ?? [],
        dataDirectories: 1,
        authentication: true,
        jmxPort,
      },
      { ...paths, serverOptions: make(SERVER), nodetoolOptions: make(NODETOOL) },
    );
    await mkdir(join(work, 'archives'));
    guard = guardNodes([node]);
    await node.start();
    await node.nodetool('status');
    await node.stop();
    for (const name of [SERVER, NODETOOL]) {
      if (await isThere(join(work, 'archives', name))) continue;
      throw new LocalServerFailed(
        `${join(work, 'archives')}: got no ${name}, expected java to write it at exit`,
      );
    }
    await renameUnlessThere(join(work, 'archives'), directory);
  } finally {
    await guard?.end();
    await network.release();
    await rm(work, { recursive: true, force: true });
  }
}

async function renameUnlessThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    // Another process was first: what it made is as good.
    if (!(await isThere(to))) throw error;
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
