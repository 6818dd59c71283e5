// Obtains Java libraries through the user's own Maven, once per machine: s3proxy, DynamoDB Local and Cassandra.
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ExecaError, execa } from 'execa';
import { cacheDirectory } from './cache-directory.ts';
import { LocalToolFailed } from './errors.ts';

const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
const TIMEOUT_MS = 15 * 60_000;

export interface JarRequest {
  /** `group:artifact:version`, or `group:artifact:version:classifier`. */
  coordinates: readonly string[];
  /** More of them, without what they depend on. */
  alone?: readonly string[];
  /** Where the files go; below the cache directory and named by the coordinates where it is not given. */
  directory?: string;
  /** False: the artifacts named alone, without what they depend on. */
  transitive?: boolean;
}

/**
 * Answers the directory that holds the jars (and natives). It appears by one rename, so that it is complete whenever it is
 * there, and processes that fetch the same at the same time do not meet.
 * @throws LocalToolFailed
 */
export async function fetchJars(request: JarRequest): Promise<string> {
  const directory = request.directory ?? join(cacheDirectory(), defaultName(request));
  if (await exists(directory)) return directory;
  await mkdir(dirname(directory), { recursive: true });
  const work = await mkdtemp(`${directory}.fetching-`);
  try {
    const fetched = join(work, 'jars');
    await copyDependencies(request, work, fetched);
    await renameUnlessThere(fetched, directory);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return directory;
}

/** The path of one jar that needs no other. @throws LocalToolFailed */
export async function fetchJar(coordinate: string): Promise<string> {
  const directory = await fetchJars({ coordinates: [coordinate], transitive: false });
  const jars = (await readdir(directory)).filter((name) => name.endsWith('.jar'));
  const [jar] = jars;
  if (jar === undefined || jars.length > 1) {
    throw new LocalToolFailed(`${directory}: got ${jars.length} jars, expected the one of ${coordinate}`);
  }
  return join(directory, jar);
}

function defaultName(request: JarRequest): string {
  const all = [...request.coordinates, ...(request.alone ?? [])];
  return all.map((coordinate) => coordinate.split(':').slice(1, 3).join('-')).join('+');
}

async function copyDependencies(request: JarRequest, work: string, outputDirectory: string): Promise<void> {
  const pom = join(work, 'pom.xml');
  await writeFile(pom, pomOf(request.coordinates, request.alone));
  const transitive = request.transitive ?? true;
  const options = [`-DoutputDirectory=${outputDirectory}`, '-DincludeScope=runtime'];
  if (!transitive) options.push('-DexcludeTransitive=true');
  try {
    await execa('mvn', ['-q', '-B', '-f', pom, COPY_GOAL, ...options], { timeout: TIMEOUT_MS, all: true });
  } catch (error) {
    const what = [...request.coordinates, ...(request.alone ?? [])].join(', ');
    if (error instanceof ExecaError && error.code === 'ENOENT') {
      throw new LocalToolFailed(`mvn is not on the PATH; it is needed to fetch ${what}`, { cause: error });
    }
    const output = error instanceof ExecaError ? String(error.all ?? error.shortMessage) : String(error);
    throw new LocalToolFailed(`mvn could not fetch ${what}:\n${lastLines(output, 12)}`, { cause: error });
  }
}

const NOTHING_ELSE =
  '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>';

function pomOf(coordinates: readonly string[], alone: readonly string[] = []): string {
  const dependencies = [...coordinates, ...alone].map((coordinate) => {
    const [group, artifact, version, classifier] = coordinate.split(':');
    const classified = classifier === undefined ? '' : `<classifier>${classifier}</classifier>`;
    const exclusions = alone.includes(coordinate) ? NOTHING_ELSE : '';
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${classified}${exclusions}</dependency>`;
  });
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>',
    '<groupId>ringvault</groupId><artifactId>local-servers</artifactId><version>1</version><packaging>pom</packaging>',
    `<dependencies>${dependencies.join('')}</dependencies></project>`,
  ].join('\n');
}

async function renameUnlessThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    // Another process was first: what it fetched is the same.
    if (!(await exists(to))) throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
