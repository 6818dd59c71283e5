// The synthesized Backup machine, run with steps that a test sets, on a clock that stands still: whatever happens between the first
// pause and the last resuming, the applications are resumed, and in time.
import { beforeEach, describe, expect, it } from 'vitest';
import { type Bench, functionArn, makeBench } from '../local/step-functions/bench.ts';
import { machines } from './machines.ts';

const RUN = { runId: '20260101t000000z-0a1b2c3d', clusterId: 'demo' };
const POLICY = { heartbeatSeconds: 30, actionTimeoutSeconds: 3_600, hostsAtOnce: 10, maxPauseSeconds: 60 };
/** As the definition names it, and as the bench does. */
const definitions = JSON.parse(
  JSON.stringify(machines()).replaceAll(/<Steps([A-Za-z]+)[0-9A-F]{8}\.Arn>/g, (_, step: string) =>
    functionArn(step),
  ),
) as Record<
  'Backup' | 'Recover',
  { States: Record<string, Record<string, unknown>>; TimeoutSeconds: number }
>;
const BUCKET = (/"Bucket":"([^"]+)"/.exec(JSON.stringify(definitions)) ?? [])[1] ?? '';

const answers: Record<string, unknown> = {
  ClaimRun: {
    outcome: 'claimed',
    run: RUN,
    request: { clusterId: 'demo', kind: 'consistent' },
    policy: POLICY,
  },
  ClaimRecovery: { outcome: 'claimed', run: RUN, subject: { ...RUN, workflow: 'backup' }, policy: POLICY },
  DiscoverHosts: { hostsKey: 'hosts.json', hostCount: 1, unreachable: [] },
  PlanRecovery: {
    ...{ planKey: 'plan.json', status: 'FAILED', direction: 'none' },
    ...{ nodesKey: '', seedsKey: '', othersKey: '' },
  },
  PlanBackup: { planKey: 'plan.json', nodesKey: 'hosts.json', nodeCount: 1, kind: 'consistent' },
  CheckPaused: { confirmed: 3, warnings: ['one is old'] },
  ResumeApplications: { outcome: 'resumed', warnings: [] },
  CheckSnapshots: { outcome: 'consistent', spreadMs: 5 },
  FailAction: { errorName: 'PauseExceeded', message: 'late', hint: '' },
  FailRun: { errorName: 'AnyName', message: 'told', hint: '' },
};

describe('the workflow of a consistent backup', () => {
  let bench: Bench;
  /** Steps in the order in which they were called; actions by their names. */
  let called: string[];
  let given: Record<string, Record<string, unknown>>;

  beforeEach(() => {
    bench = makeBench();
    called = [];
    given = {};
    bench.objects.set(`${BUCKET}/hosts.json`, JSON.stringify([{ instanceId: 'i-1' }]));
    const steps = JSON.stringify(definitions).matchAll(/function:([A-Za-z]+)/g);
    for (const [, name = ''] of steps) {
      bench.functions[name] = (payload) => {
        called.push(name);
        given[name] = payload;
        return { ok: answers[name] ?? {} };
      };
    }
    bench.functions['StartAction'] = (payload) => {
      called.push(String(payload['action']));
      bench.executions.tokens.succeed(String(payload['taskToken']), '{}');
      return { ok: {} };
    };
    bench.functions['PauseApplications'] = () => {
      called.push('PauseApplications');
      return { ok: { deadline: new Date(bench.clock.now().getTime() + 60_000).toISOString() } };
    };
    bench.functions['SetRendezvous'] = () => {
      called.push('SetRendezvous');
      return { ok: { at: bench.clock.now().toISOString() } };
    };
  });

  const run = (machine: 'Backup' | 'Recover' = 'Backup') => {
    const { States, TimeoutSeconds } = definitions[machine];
    return bench.finish(bench.start(States, {}, { StartAt: 'Begin', TimeoutSeconds }));
  };
  const fail = (name: string, error: string) => {
    bench.functions[name] = () => {
      called.push(name);
      return { error, cause: '{}' };
    };
  };
  const hang = (name: string) => {
    bench.functions[name] = async () => {
      called.push(name);
      await bench.clock.sleep(900_000);
      return { ok: answers[name] ?? {} };
    };
  };
  const sincePaused = () => called.slice(called.indexOf('PauseApplications'));

  it('resumes before it looks at the snapshots, and keeps what was warned of', async () => {
    expect(await run()).toMatchObject({ status: 'SUCCEEDED' });
    expect(sincePaused().slice(0, 7)).toEqual([
      'PauseApplications',
      'SetRendezvous',
      'snapshot',
      'CheckPaused',
      'ResumeApplications',
      'CheckSnapshots',
      'upload',
    ]);
    expect(given['RecordRun']).toMatchObject({ warnings: ['one is old'] });
    expect(given['ResumeApplications']).toEqual({ clusterId: 'demo', runId: RUN.runId });
  });

  it('pauses nobody for a plain snapshot', async () => {
    const claimed = { ...Object(answers['ClaimRun']), request: { clusterId: 'demo', kind: 'snapshot' } };
    bench.functions['ClaimRun'] = () => ({ ok: claimed });
    const planned = { ...Object(answers['PlanBackup']), kind: 'snapshot' };
    bench.functions['PlanBackup'] = () => ({ ok: planned });
    expect(await run()).toMatchObject({ status: 'SUCCEEDED' });
    expect(called.filter((each) => /Paus|Resume/.test(each))).toEqual([]);
  });

  it('pauses again for the second round, and resumes in between', async () => {
    bench.functions['CheckSnapshots'] = () => {
      called.push('CheckSnapshots');
      const first = called.filter((each) => each === 'CheckSnapshots').length === 1;
      return { ok: first ? { outcome: 'retake', reason: 'a node joined' } : answers['CheckSnapshots'] };
    };
    expect(await run()).toMatchObject({ status: 'SUCCEEDED' });
    expect(called.filter((each) => /Pause|Resume|^snapshot$/.test(each))).toEqual([
      ...['PauseApplications', 'snapshot', 'CheckPaused', 'ResumeApplications'],
      ...['PauseApplications', 'snapshot', 'CheckPaused', 'ResumeApplications'],
    ]);
  });

  it.each(['PauseApplications', 'SetRendezvous', 'CheckPaused'])(
    'resumes when %s fails, then fails by its cause',
    async (name) => {
      fail(name, 'AnyError');
      expect(await run()).toMatchObject({ status: 'FAILED', error: 'AnyName' });
      expect(sincePaused().slice(-2)).toEqual(['ResumeApplications', 'FailRun']);
      expect(given['FailRun']).toMatchObject({ error: { Error: 'AnyError', Step: name } });
    },
  );

  it.each(['PauseApplications', 'SetRendezvous', 'CheckPaused'])(
    'gives up %s when the pause has had its time, and resumes then',
    async (name) => {
      hang(name);
      const started = bench.clock.now().getTime();
      let resumedAt = 0;
      bench.functions['ResumeApplications'] = () => {
        resumedAt ||= bench.clock.now().getTime();
        return { ok: answers['ResumeApplications'] };
      };
      expect(await run()).toMatchObject({ status: 'FAILED' });
      expect(resumedAt - started).toBe(60_000);
      expect(given['FailRun']).toMatchObject({ error: { Error: 'PauseExceeded', Step: name } });
    },
  );

  it('gives up a host that does not answer when the pause has had its time, whatever the policy of actions is', async () => {
    const answer = bench.functions['StartAction'];
    const started = bench.clock.now().getTime();
    let resumedAt = 0;
    bench.functions['StartAction'] = (payload) => {
      if (payload['action'] !== 'snapshot') return answer?.(payload) ?? { ok: {} };
      const late = bench.clock.now().getTime() - started >= 60_000;
      // It is heard of, and never done.
      if (!late) void beat(String(payload['taskToken']));
      return late ? { error: 'PauseExceeded', cause: '{}' } : { ok: {} };
    };
    bench.functions['ResumeApplications'] = () => {
      resumedAt ||= bench.clock.now().getTime();
      return { ok: answers['ResumeApplications'] };
    };
    const beat = async (token: string) => {
      for (let beats = 0; beats < 20; beats++) {
        await bench.clock.sleep(10_000);
        try {
          bench.executions.tokens.heartbeat(token);
        } catch {
          return;
        }
      }
    };
    expect(await run()).toMatchObject({ status: 'FAILED' });
    expect(resumedAt - started).toBeGreaterThanOrEqual(60_000);
    expect(resumedAt - started).toBeLessThan(65_000);
  });

  it('fails by the first cause where resuming fails, too, and leaves the rest to Recover', async () => {
    fail('CheckPaused', 'PauseBroken');
    fail('ResumeApplications', 'ResumeFailed');
    expect(await run()).toMatchObject({ status: 'FAILED' });
    expect(given['FailRun']).toMatchObject({ error: { Error: 'PauseBroken' } });
  });

  describe('and Recover', () => {
    it('resumes before anything else', async () => {
      expect(await run('Recover')).toMatchObject({ status: 'SUCCEEDED' });
      expect(called.slice(0, 3)).toEqual(['ClaimRecovery', 'ResumeApplications', 'DiscoverHosts']);
      expect(called.at(-1)).toBe('ReleaseRun');
    });

    it.each([
      ['is not done', () => ({ ok: { outcome: 'not-resumed', warnings: ['orders-1 refused'] } })],
      ['cannot be tried', () => ({ error: 'InvalidConfiguration', cause: 'no hook' })],
    ])('cleans up and tells people when resuming %s, and keeps the lock', async (_, answer) => {
      bench.functions['ResumeApplications'] = answer;
      const { status, error, cause } = await run('Recover');
      expect({ status, error }).toEqual({ status: 'FAILED', error: 'ResumeFailed' });
      expect(cause).toMatch(/orders-1 refused|Applications may still be paused/);
      expect(called).toEqual(expect.arrayContaining(['end-run', 'RecordRun', 'NotifyRun']));
      expect(given['RecordRun']).toMatchObject({ status: 'FAILED' });
      expect(given['NotifyRun']?.['warnings']).toHaveLength(1);
      expect(called).not.toContain('ReleaseRun');
    });
  });
});
