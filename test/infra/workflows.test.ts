// Each synthesized machine: valid as a definition, sound beyond what linters find, and as docs/architecture.md names it.
import jsonata from 'jsonata';
import { describe, expect, it } from 'vitest';
import { actions } from '../../contracts/actions.ts';
import { MOST_WINDOW_MINUTES } from '../../contracts/configuration.ts';
import { retryableErrorNames } from '../../contracts/errors.ts';
import { LOOK_AGAIN_SECONDS, MACHINE_TIMEOUT_SECONDS } from '../../contracts/limits.ts';
import { stateNames } from '../../contracts/steps.ts';
import { reportableCause, reportableName, toldFrom } from '../../infra/workflows/expressions.ts';
import { addWarning } from '../../infra/workflows/states.ts';
import { validateDefinition } from './asl-validator.ts';
import { lint, type State, type StateList } from './definition-lint.ts';
import { machines } from './machines.ts';

const all = machines();
const names = ['Backup', 'Restore', 'Register', 'Recover'] as const;

function everyState(list: StateList): Array<[string, State]> {
  return Object.entries(list.States).flatMap(
    ([name, state]): Array<[string, State]> => [
      [name, state],
      ...(state.ItemProcessor ? everyState(state.ItemProcessor) : []),
    ],
  );
}

/** The states on the way from the start, where every Choice takes its default and nothing fails. */
function straightWay(list: StateList): string[] {
  const way: string[] = [];
  let name: string | undefined = list.StartAt;
  while (name) {
    way.push(name);
    const state: State | undefined = list.States[name];
    name = state?.Next ?? state?.Default;
  }
  return way;
}

describe.each(names)('the machine %s', (name) => {
  const machine = all[name];

  it('is valid Amazon States Language', () => {
    expect(validateDefinition(machine)).toEqual([]);
  });

  it('has none of the faults that no linter finds', () => {
    expect(lint(machine)).toEqual([]);
  });

  it('is JSONata and ends by itself before the lease of its lock does', () => {
    expect(machine.QueryLanguage).toBe('JSONata');
    expect(machine.TimeoutSeconds).toBe(MACHINE_TIMEOUT_SECONDS);
  });

  it('names each Lambda state after its step, and only those', () => {
    for (const [state, { Type, Resource, Arguments }] of everyState(machine)) {
      if (Type !== 'Task' || !Resource?.includes(':lambda:')) continue;
      const step = state.replace(/ \(\w+\)$/, '');
      expect(stateNames).toContain(step);
      expect(JSON.stringify(Arguments)).toMatch(new RegExp(`<Steps${step}[0-9A-F]{8}\\.Arn>`));
    }
  });

  it('retries every step with one list of errors, full jitter and a longest wait', () => {
    for (const [, { Resource, Retry }] of everyState(machine)) {
      if (!Resource?.includes(':lambda:')) continue;
      expect(Retry?.[0]).toMatchObject({ JitterStrategy: 'FULL', MaxDelaySeconds: 60 });
      expect(Retry?.[0]?.ErrorEquals).toEqual(
        expect.arrayContaining(['Lambda.TooManyRequestsException', ...retryableErrorNames]),
      );
    }
  });

  it('hands only known actions to hosts, with a label, the policy and its limit of hosts at once', () => {
    for (const [state, map] of everyState(machine)) {
      if (map.Type !== 'Map') continue;
      expect(map.Label).toBe(state);
      expect(map).toMatchObject({
        MaxConcurrency: state === 'RepairEachNode' ? 1 : '{% $policy.hostsAtOnce %}',
        ItemSelector: { run: '{% $run %}', policy: '{% $policy %}' },
        Output: '{% $states.input %}',
      });
      const { ItemSelector } = map as unknown as { ItemSelector: { action: string } };
      expect(Object.keys(actions)).toContain(ItemSelector.action);
    }
  });
});

it('tolerates failed hosts only where it cleans up, or repairs what is restored', () => {
  const tolerant = names.flatMap((name) =>
    everyState(all[name])
      .filter(([, state]) => 'ToleratedFailurePercentage' in state)
      .map(([state]) => state),
  );
  expect(tolerant).toEqual([
    'ClearEachSnapshot',
    'ReleaseEachIncrement',
    'RepairEachNode',
    'EndRunOnEachHost',
  ]);
});

it('leaves out each map whose host list is empty', () => {
  const skips = (['Restore', 'Recover'] as const).flatMap((name) =>
    Object.values(all[name].States).flatMap(({ Type, Choices = [], Default }) =>
      Type !== 'Choice' ? [] : Choices.map(({ Condition, Next }) => [name, Condition, Default, Next]),
    ),
  );
  expect(skips).toEqual(
    expect.arrayContaining([
      ['Restore', "{% $schemaNodeKey = '' %}", 'ApplySchema', 'Online'],
      ['Restore', '{% $online %}', 'WritesToSettle', 'ImportOnEachNode'],
      ['Restore', "{% $quietKey = '' %}", 'StopClientsOfEachNode', 'ToStop'],
      ['Restore', "{% $operation = 'undo' %}", 'StopEachNode', 'StopEachNodeToUndo'],
      ['Restore', "{% $seedsKey = '' %}", 'StartSeedNodes', 'OthersToStart'],
      ['Restore', "{% $othersKey = '' %}", 'StartOtherNodes', 'DescribeEachHostAfter'],
      ['Recover', '{% $hostCount = 0 %}', 'EndRunOnEachHost', 'PlanRecovery'],
      ['Recover', "{% $seedsKey = '' %}", 'StartSeedNodes', 'OthersToStart'],
      ['Recover', "{% $othersKey = '' %}", 'StartOtherNodes', 'RecordRun'],
    ]),
  );
});

describe('the procedure', () => {
  it('of a backup', () => {
    expect(straightWay(all.Backup).filter((state) => all.Backup.States[state]?.Type !== 'Choice')).toEqual([
      'Begin',
      'ClaimRun',
      'DiscoverHosts',
      'PrepareEachHost',
      'DescribeEachHost',
      'PlanBackup',
      'FlushEachNode',
      'SetRendezvous',
      'SnapshotEachNode',
      'CheckSnapshots',
      'UploadEachNode',
      'SealBackup',
      'RecordRun',
      'ClearEachSnapshot',
      'NotifyRun',
      'ReleaseRun',
    ]);
  });

  it('of an incremental: collected instead of the rendezvous, a snapshot after all where there is a gap', () => {
    const { States } = all.Backup;
    const ways = (choice: string) => [
      ...(States[choice]?.Choices ?? []).map(({ Condition, Next }) => [Condition, Next]),
      ['otherwise', States[choice]?.Default],
    ];
    expect(ways('Kind')).toEqual([
      ["{% $kind = 'consistent' %}", 'PauseApplications'],
      ["{% $kind = 'incremental' %}", 'CollectEachNode'],
      ['otherwise', 'SetRendezvous'],
    ]);
    expect(States['CollectEachNode']?.Next).toBe('CheckIncrements');
    expect(ways('IncrementOutcome')).toEqual([
      ["{% $outcome = 'retake' %}", 'NextRound'],
      ["{% $outcome = 'base-needed' %}", 'SetRendezvous'],
      ['otherwise', 'UploadEachNode'],
    ]);
    expect(ways('WhatToClear')).toEqual([
      ["{% $kind = 'incremental' %}", 'ReleaseEachIncrement'],
      ['otherwise', 'ClearEachSnapshot'],
    ]);
    expect(States['ReleaseEachIncrement']?.Next).toBe('RoundsBefore');
    expect(ways('RoundsBefore')).toEqual([
      ['{% $round > 1 %}', 'ClearEachSnapshot'],
      ['otherwise', 'NotifyRun'],
    ]);
  });

  it('of a restore', () => {
    expect(straightWay(all.Restore).filter((state) => all.Restore.States[state]?.Type !== 'Choice')).toEqual([
      'Begin',
      'ClaimRun',
      'DiscoverHosts',
      'PrepareEachHost',
      'DescribeEachHost',
      'PlanRestore',
      'CheckEachHost',
      'DownloadEachNode',
      'ApplySchema',
      'StopClientsOfEachNode',
      'SettleWritesOfEachNode',
      'StopEachNode',
      'PlaceEachNode',
      'StartSeedNodes',
      'StartOtherNodes',
      'DescribeEachHostAfter',
      'VerifyRestore',
      'RecordRun',
      'NotifyRun',
      'ReleaseRun',
      'RestoreDone',
    ]);
  });

  it('of a registration', () => {
    const { Register } = all;
    expect(straightWay(Register).filter((state) => Register.States[state]?.Type !== 'Choice')).toEqual([
      'Begin',
      'ClaimRun',
      'DiscoverHosts',
      'PrepareEachHost',
      'DescribeEachHost',
      'RegisterCluster',
      'RecordRun',
      'NotifyRun',
      'ReleaseRun',
    ]);
    expect(Register.States['Operation']?.Choices).toMatchObject([{ Next: 'UnregisterCluster' }]);
    expect(Register.States['UnregisterCluster']?.Next).toBe('RecordRun');
  });

  it('of a recovery', () => {
    expect(straightWay(all.Recover).filter((state) => all.Recover.States[state]?.Type !== 'Choice')).toEqual([
      'Begin',
      'ClaimRecovery',
      'ResumeApplications',
      'DiscoverHosts',
      'EndRunOnEachHost',
      'PlanRecovery',
      'SettleEachNode',
      'StartSeedNodes',
      'StartOtherNodes',
      'RecordRun',
      'NotifyRun',
      'ReleaseRun',
    ]);
  });
});

describe('a consistent backup', () => {
  const { States } = all.Backup;
  /** From the first pause to the last resuming. */
  const paused = ['PauseApplications', 'SetRendezvous', 'SnapshotEachNode', 'CheckPaused'];

  it('pauses before the rendezvous, and resumes before it looks at the snapshots', () => {
    expect(States['Kind']).toMatchObject({
      Choices: [{ Condition: "{% $kind = 'consistent' %}", Next: 'PauseApplications' }, {}],
      Default: 'SetRendezvous',
    });
    expect(States['PauseApplications']?.Next).toBe('SetRendezvous');
    expect(States['SnapshotsTaken']).toMatchObject({
      Choices: [{ Next: 'CheckPaused' }],
      Default: 'CheckSnapshots',
    });
    expect(States['CheckPaused']?.Next).toBe('ResumeApplications');
    expect(States['ResumeApplications']?.Next).toBe('CheckSnapshots');
  });

  it('resumes on every way out, and then fails by the first cause', () => {
    for (const state of paused) {
      expect(States[state]?.Catch).toHaveLength(1);
      expect(States[state]?.Catch?.[0]).toMatchObject({
        ErrorEquals: ['States.ALL'],
        Next: 'PausedAtFailure',
      });
    }
    expect(States['PausedAtFailure']).toMatchObject({
      Choices: [{ Next: 'ResumeApplications (AfterFailure)' }],
      Default: 'FailRun',
    });
    const resume = States['ResumeApplications (AfterFailure)'];
    expect(resume?.Next).toBe('FailRun');
    expect(resume?.Catch?.[0]).toMatchObject({ Next: 'FailRun', Assign: {} });
  });

  it('gives each state between no more time than the pause has left', async () => {
    const evaluate = (text: unknown, variables: object, states: object = {}) =>
      jsonata(String(text).slice(2, -2)).evaluate({}, { ...variables, states });
    const deadline = new Date(Date.now() + 30_500).toISOString();
    for (const state of ['SetRendezvous', 'CheckPaused']) {
      const limit = States[state]?.TimeoutSeconds;
      expect([30, 31]).toContain(await evaluate(limit, { deadline }));
      expect(await evaluate(limit, { deadline: '2026-01-01T00:00:00.000Z' })).toBe(1);
      expect(await evaluate(limit, { deadline: '' })).toBe(900);
    }
    expect(States['PauseApplications']?.TimeoutSeconds).toBe('{% $policy.maxPauseSeconds %}');
    const host = States['SnapshotEachNode']?.ItemProcessor?.States['StartAction (SnapshotEachNode)'];
    const policy = { heartbeatSeconds: 120, actionTimeoutSeconds: 86_400 };
    const limits = async (parameters: object) => {
      const states = { input: { policy, parameters } };
      return [
        await evaluate(host?.TimeoutSeconds, {}, states),
        await evaluate(host?.HeartbeatSeconds, {}, states),
      ];
    };
    expect(await limits({})).toEqual([86_400, 120]);
    expect(await limits({ notAfter: '' })).toEqual([86_400, 120]);
    const [timeout, heartbeat] = await limits({ notAfter: deadline });
    expect([30, 31]).toContain(timeout);
    expect(heartbeat).toBeLessThan(timeout);
  });
});

describe('failures', () => {
  const target = (machine: StateList, state: string) => machine.States[state]?.Catch?.at(-1)?.Next;

  it.each(['Backup', 'Restore', 'Register'] as const)(
    'of %s end in FailRun, then Recover, then the cause’s own name',
    (name) => {
      const { States } = all[name];
      expect(target(all[name], 'DiscoverHosts')).toBe('FailRun');
      expect(target(all[name], 'RecordRun')).toBe('FailRun');
      expect(States['FailRun']?.Next).toBe('StartRecover');
      expect(target(all[name], 'FailRun')).toBe('StartRecover');
      expect(States['StartRecover']?.Next).toBe('RunFailed');
      expect(target(all[name], 'StartRecover')).toBe('RunFailed');
    },
  );

  it('after the record of a backup are warnings, and the lock is released all the same', () => {
    expect(target(all.Backup, 'ClearEachSnapshot')).toBe('NotifyRun');
    expect(target(all.Backup, 'NotifyRun')).toBe('ReleaseRun');
    expect(target(all.Backup, 'ReleaseRun')).toBe('StartRecover');
  });

  it('of a claim are none where the cluster is held for a while: it is looked at again', () => {
    const { States } = all.Backup;
    expect(States['ClaimOutcome']?.Choices).toContainEqual(
      expect.objectContaining({ Condition: "{% $outcome = 'waiting' %}", Next: 'WaitForCluster' }),
    );
    expect(States['WaitForCluster']).toMatchObject({ Seconds: '{% $waitSeconds %}', Next: 'ClaimRun' });
    // Two for the wait, five for the step, two for the choice, of an execution's 25,000 events.
    expect((MOST_WINDOW_MINUTES * 60 * 9) / LOOK_AGAIN_SECONDS).toBeLessThan(20_000);
  });

  it('of a start that is refused are reported, and start no Recover', () => {
    expect(target(all.Backup, 'ClaimRun')).toBe('ReportRefusal');
    expect(all.Backup.States['ReportRefusal']?.Next).toBe('StartRefused');
    expect(target(all.Recover, 'ClaimRecovery')).toBe('StartRefused');
  });

  it('to resume applications do not keep Recover from the rest, and keep the lock until they are', () => {
    const { States } = all.Recover;
    expect(target(all.Recover, 'ResumeApplications')).toBe('DiscoverHosts');
    expect(States['NotifyRun']?.Next).toBe('ApplicationsResumed');
    expect(target(all.Recover, 'NotifyRun')).toBe('ApplicationsResumed');
    expect(States['ApplicationsResumed']).toMatchObject({
      Choices: [{ Condition: '{% $not($resumed) %}', Next: 'StillPaused' }],
      Default: 'ReleaseRun',
    });
    expect(States['StillPaused']?.Next).toBe('RunFailed');
  });

  it('of Recover itself start no other Recover: the sweep does', () => {
    expect(all.Recover.States['FailRun']?.Next).toBe('RunFailed');
    expect(Object.keys(all.Recover.States)).not.toContain('StartRecover');
  });

  it('of a host are kept with the node before the child fails by the cause’s name', () => {
    const child = all.Backup.States['UploadEachNode']?.ItemProcessor;
    expect(child && target(child, 'StartAction (UploadEachNode)')).toBe('FailAction (UploadEachNode)');
    expect(child?.States['FailAction (UploadEachNode)']?.Next).toBe('ActionFailed (UploadEachNode)');
  });
});

describe('expressions', () => {
  const evaluate = (text: unknown, variables: object, states: object = {}) =>
    jsonata(String(text).slice(2, -2)).evaluate({}, { ...variables, states });

  it('never report a reserved error name', async () => {
    const name = reportableName('$told.errorName');
    expect(await evaluate(name, { told: { errorName: 'States.Timeout' } })).toBe('UnexpectedError');
    expect(await evaluate(name, { told: { errorName: 'NodeDown' } })).toBe('NodeDown');
  });

  it('tell a caught error with and without a cause', async () => {
    const told = toldFrom('$error');
    expect(await evaluate(told, { error: { Error: 'E', Cause: 'why "\n' } })).toEqual({
      errorName: 'E',
      message: 'why "\n',
      hint: '',
    });
    expect(await evaluate(told, { error: { Error: 'E' } })).toMatchObject({ message: '' });
    const cause = await evaluate(reportableCause('$told'), {
      told: { message: 'm'.repeat(40_000), hint: 'h' },
    });
    expect(String(cause).length).toBe(32_000);
  });

  it('add one warning after another to a list', async () => {
    const { warnings } = addWarning('Nobody was notified');
    const states = { errorOutput: { Error: 'E' } };
    const one = await evaluate(warnings, { warnings: [] }, states);
    expect([...one]).toEqual(['Nobody was notified: E']);
    const two = await evaluate(warnings, { warnings: one }, states);
    expect([...two]).toEqual(['Nobody was notified: E', 'Nobody was notified: E']);
  });
});
