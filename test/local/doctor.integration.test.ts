import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { javaMajorIn } from '../../local/cassandra/java.ts';
import { inspectMachine, type Machine, problemsOf } from '../../local/doctor.ts';

const GIB = 1024 ** 3;
const java = (version: string) => ({ output: `openjdk version "${version}" 2025-04-15\nOpenJDK …` });
const good: Machine = {
  platform: 'linux',
  architecture: 'x64',
  nodeVersion: 'v20.20.2',
  java: java('17.0.15'),
  maven: true,
  missingPrograms: [],
  loopbackRefusal: undefined,
  freeMemoryBytes: 8 * GIB,
  freeDiskBytes: 50 * GIB,
};

describe('doctor', () => {
  it('finds nothing wrong with a good machine', () => {
    expect(problemsOf(good)).toEqual([]);
  });

  it.each<[string, Partial<Machine>, RegExp]>([
    ['another system', { platform: 'darwin', architecture: 'arm64' }, /Linux x64; got darwin arm64/],
    ['an old Node', { nodeVersion: 'v18.19.0' }, /Node 20 or later is needed; got v18\.19\.0/],
    ['a newer Java', { java: java('21.0.2') }, /Java 17 exactly.*got Java 21/],
    ['an older Java', { java: { output: 'java version "1.8.0_402"' } }, /got Java 8/],
    ['no Java', { java: { missing: 'got no java' } }, /wants Java 17; got no java\. Install a JDK 17/],
    ['no Maven', { maven: false }, /Maven is needed/],
    ['no flock', { missingPrograms: ['flock'] }, /not on the PATH: flock/],
    ['no second loopback address', { loopbackRefusal: 'EADDRNOTAVAIL' }, /127\.0\.0\.2: EADDRNOTAVAIL/],
    ['too little memory', { freeMemoryBytes: GIB }, /Got 1\.0 GiB of free memory, expected at least 4 GiB/],
    ['too little disk', { freeDiskBytes: GIB / 2 }, /Got 0\.5 GiB of free disk space/],
  ])('names %s, and nothing else', (_, change, message) => {
    const problems = problemsOf({ ...good, ...change });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(message);
  });

  it('reads the versions that JDKs print', () => {
    expect(javaMajorIn('openjdk version "17" 2021-09-14')).toBe(17);
    expect(javaMajorIn('openjdk version "17.0.15" 2025-04-15')).toBe(17);
    expect(javaMajorIn('openjdk version "24-ea" 2025-03-18')).toBe(24);
    expect(javaMajorIn('java version "1.8.0_402"')).toBe(8);
    expect(javaMajorIn('no such thing')).toBeUndefined();
  });

  it('looks at this machine', async () => {
    const machine = await inspectMachine(tmpdir());
    expect(machine.freeDiskBytes).toBeGreaterThan(0);
    expect(machine.freeMemoryBytes).toBeGreaterThan(0);
    expect(machine.platform).toBe(process.platform);
  });
});
