// Which `java` runs Cassandra, and which version it is.
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { LocalToolFailed } from '../servers/errors.ts';

/** Cassandra 5.0 does not start on 18 or later, and is not built for less. */
export const JAVA_MAJOR = 17;

/** The absolute path of `java`: of JAVA_HOME where that is set, else the first on the PATH. @throws LocalToolFailed */
export async function findJava(): Promise<string> {
  const home = process.env['JAVA_HOME'];
  if (home) return join(home, 'bin', 'java');
  for (const directory of (process.env['PATH'] ?? '').split(':')) {
    const found = await realpath(join(directory, 'java')).catch(() => undefined);
    if (found) return found;
  }
  throw new LocalToolFailed(`got no java in JAVA_HOME or on the PATH, expected a JDK ${JAVA_MAJOR}`);
}

/** The major version that `java -version` says: 17 of `openjdk version "17.0.15"`, 8 of `"1.8.0_402"`. */
export function javaMajorIn(output: string): number | undefined {
  const version = /version "(?:1\.)?(\d+)/.exec(output);
  return version?.[1] === undefined ? undefined : Number(version[1]);
}

/** What `java -version` prints, which is on standard error. @throws LocalToolFailed */
export async function javaVersion(java: string): Promise<string> {
  const result = await execa(java, ['-version'], { reject: false, all: true });
  if (result.failed) {
    const why = result.all?.trim() || result.shortMessage?.split('\n')[0];
    throw new LocalToolFailed(`${java} -version failed: ${why}`);
  }
  return result.all;
}

/** The local servers are started from source. @throws LocalToolFailed where it is a runtime alone */
export async function requireCompiler(java: string): Promise<void> {
  const { stdout } = await execa(java, ['--list-modules'], { reject: false });
  if (/^jdk\.compiler\b/m.test(stdout)) return;
  throw new LocalToolFailed(`${java} has no compiler, expected a JDK and not its runtime alone`);
}
