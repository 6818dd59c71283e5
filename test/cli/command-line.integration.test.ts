// The real program in a process of its own, as a person would type it.
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';

const typed = (...argv: string[]) =>
  execa(process.execPath, ['cli/bin.js', ...argv], {
    cwd: new URL('../..', import.meta.url),
    reject: false,
    env: {
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
      AWS_REGION: 'eu-west-1',
    },
  });

describe('ringvault', () => {
  it.each([[[]], [['help']], [['--help']]])('%j shows every command on stdout', async (argv) => {
    const { exitCode, stdout, stderr } = await typed(...argv);
    expect(exitCode).toBe(0);
    for (const name of ['backup', 'restore', 'list', 'status', 'cancel', 'undo', 'release']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'));
    }
    expect(stderr).toBe('');
  });

  it('tells its version', async () => {
    const { exitCode, stdout } = await typed('--version');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
  });

  it.each([
    [['backp', 'demo'], 'Did you mean backup?'],
    [['backup'], "missing required argument 'cluster'"],
    [['backup', 'De mo; $(reboot)'], 'a cluster ID has 1 to 40'],
    [['backup', 'demo', '--kind', 'paused'], 'Allowed choices are snapshot, consistent'],
    [['backup', 'demo', '--node', 'node-1'], 'an instance ID or a host ID'],
    [['backup', 'demo', '--include', 'app; DROP'], 'a keyspace or keyspace.table'],
    [['status', 'demo', 'yesterday'], 'a run ID looks like'],
    [['restore', 'demo', '--backup', 'newest'], "argument 'newest' is invalid"],
    [['list', '--limit', '0'], "argument '0' is invalid"],
    [['list', '--status', 'done'], 'COMPLETED'],
    [['list', '--colour'], "unknown option '--colour'"],
  ])('%j is wrong use: exit 2, the reason on stderr', async (argv, reason) => {
    const { exitCode, stdout, stderr } = await typed(...argv);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(reason);
    expect(stdout).toBe('');
  });

  it('with --json says wrong use as one JSON document', async () => {
    const { exitCode, stdout } = await typed('--json', 'backp');
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        errorName: 'InvalidRequest',
        message: expect.stringContaining('backp'),
        hint: expect.any(String),
      },
    });
  });

  it('says by name that AWS does not answer', async () => {
    const { exitCode, stdout, stderr } = await typed('list', '--json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout).error.errorName).toBe('AwsUnavailable');
    expect(stderr).toContain('AwsUnavailable: ');
  });
});
