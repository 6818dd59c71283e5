// Says what this machine lacks for the local cloud, before anything is started. Also a program: `node local/doctor.ts`, with
// the names of more programs that are needed.
import { once } from 'node:events';
import { statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism, freemem } from 'node:os';
import { execa } from 'execa';
import { findJava, JAVA_MAJOR, javaMajorIn, javaVersion, requireCompiler } from './cassandra/java.ts';

const GIB = 1024 ** 3;

/** What a machine looks like to the checks. */
export interface Machine {
  platform: string;
  architecture: string;
  nodeVersion: string;
  /** What `java -version` printed, or why it could not be run. */
  java: { output: string } | { missing: string };
  maven: boolean;
  /** Programs that are needed, such as those that the nodes' scripts call, and are not there. */
  missingPrograms: string[];
  /** Why 127.0.0.2 cannot be listened on. */
  loopbackRefusal: string | undefined;
  freeMemoryBytes: number;
  freeDiskBytes: number;
}

const NEEDED = {
  nodeMajor: 20,
  /** Three nodes of up to 700 MiB, the servers and the Lambdas beside them. */
  memoryBytes: 4 * GIB,
  /** Jars, three copies of the data, the vault. */
  diskBytes: 3 * GIB,
};

/** What is wrong, each with what was got and expected; empty where all is well. */
export function problemsOf(machine: Machine): string[] {
  const problems: string[] = [];
  const { platform, architecture, java } = machine;
  if (platform !== 'linux' || architecture !== 'x64') {
    problems.push(`The local cloud wants Linux x64; got ${platform} ${architecture}.`);
  }
  const nodeMajor = Number(/^v?(\d+)/.exec(machine.nodeVersion)?.[1]);
  if (!(nodeMajor >= NEEDED.nodeMajor)) {
    problems.push(`Node ${NEEDED.nodeMajor} or later is needed; got ${machine.nodeVersion}.`);
  }
  const javaProblem = problemOfJava(java);
  if (javaProblem) problems.push(javaProblem);
  if (!machine.maven) {
    problems.push('Maven is needed to obtain Cassandra; got no `mvn` that runs. Debian: apt install maven.');
  }
  if (machine.missingPrograms.length > 0) {
    problems.push(`These programs are needed and not on the PATH: ${machine.missingPrograms.join(', ')}.`);
  }
  if (machine.loopbackRefusal !== undefined) {
    problems.push(
      `Each node listens on an address of its own in 127.0.0.0/8; got, for 127.0.0.2: ${machine.loopbackRefusal}.`,
    );
  }
  if (machine.freeMemoryBytes < NEEDED.memoryBytes) {
    problems.push(lessThan('free memory', machine.freeMemoryBytes, NEEDED.memoryBytes));
  }
  if (machine.freeDiskBytes < NEEDED.diskBytes) {
    problems.push(lessThan('free disk space', machine.freeDiskBytes, NEEDED.diskBytes));
  }
  return problems;
}

function problemOfJava(java: Machine['java']): string | undefined {
  const advice = 'Install a JDK 17 (Debian: apt install openjdk-17-jdk-headless) and point JAVA_HOME at it.';
  if ('missing' in java) return `Cassandra 5.0 wants Java ${JAVA_MAJOR}; ${java.missing}. ${advice}`;
  const major = javaMajorIn(java.output);
  if (major === JAVA_MAJOR) return undefined;
  const got = major === undefined ? `"${java.output.split('\n')[0]}"` : `Java ${major}`;
  return `Cassandra 5.0 wants Java ${JAVA_MAJOR} exactly, later ones it does not start on; got ${got}. ${advice}`;
}

function lessThan(what: string, got: number, expected: number): string {
  return `Got ${(got / GIB).toFixed(1)} GiB of ${what}, expected at least ${expected / GIB} GiB.`;
}

/**
 * @param stateDirectory an existing directory on the disk that the local cloud will use
 * @param programs that are needed besides its own
 */
export async function inspectMachine(
  stateDirectory: string,
  programs: readonly string[] = [],
): Promise<Machine> {
  const { bavail, bsize } = await statfs(stateDirectory);
  return {
    platform: process.platform,
    architecture: process.arch,
    nodeVersion: process.version,
    java: await inspectJava(),
    maven: await runs('mvn', '--version'),
    missingPrograms: await missingPrograms(['bash', 'setsid', 'flock', 'grep', ...programs]),
    loopbackRefusal: await loopbackRefusal('127.0.0.2'),
    // Linux's MemAvailable.
    freeMemoryBytes: freemem(),
    freeDiskBytes: bavail * bsize,
  };
}

/** Checks this machine: what is wrong, or nothing. */
export async function checkMachine(programs: readonly string[] = []): Promise<string[]> {
  return problemsOf(await inspectMachine(process.cwd(), programs));
}

async function inspectJava(): Promise<Machine['java']> {
  try {
    const java = await findJava();
    const output = await javaVersion(java);
    // Of another version that is told instead.
    if (javaMajorIn(output) === JAVA_MAJOR) await requireCompiler(java);
    return { output };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

async function runs(program: string, ...args: string[]): Promise<boolean> {
  return !(await execa(program, args, { reject: false })).failed;
}

async function missingPrograms(programs: string[]): Promise<string[]> {
  const there = await Promise.all(programs.map((program) => runs(program, '--version')));
  return programs.filter((_, index) => !there[index]);
}

async function loopbackRefusal(host: string): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen({ host, port: 0 });
    await once(server, 'listening');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    server.close();
  }
}

if (import.meta.main) {
  const problems = await checkMachine(process.argv.slice(2));
  for (const problem of problems) console.error(problem);
  if (problems.length === 0) {
    console.log(`This machine can run the local cloud (${availableParallelism()} cores).`);
  }
  process.exitCode = problems.length === 0 ? 0 : 1;
}
