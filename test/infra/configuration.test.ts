// What an operator may write in ringvault.yaml, and what a mistake is answered with.
import { describe, expect, it } from 'vitest';
import { parseConfiguration, readConfiguration } from '../../infra/configuration.ts';

const CLUSTER = `
  clusters:
    demo:
      hosts: { tag: { key: ringvault:cluster, value: demo } }
      datacenters: [dc1]
      cassandra:
        cql: { credentialsSecretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-AbCdEf" }
`;

it('takes the example, and a cluster with nothing but what is required', () => {
  expect(Object.keys(readConfiguration('ringvault.yaml').clusters)).toEqual(['demo']);
  expect(parseConfiguration(CLUSTER).clusters['demo']?.policy.heartbeatSeconds).toBe(120);
});

describe('refuses, naming the path, what it got and what it expects:', () => {
  it.each<[string, string, RegExp]>([
    [
      'a key that is planned',
      '      retention: { days: 30 }',
      /clusters\.demo\.retention: not implemented yet/,
    ],
    [
      'a key that nobody knows',
      '      datacentre: x',
      /clusters\.demo\.datacentre: got a key that is not known/,
    ],
    ['a wrong type', '      schedules: 7', /clusters\.demo\.schedules: got 7, expected array/],
    [
      'a wrong pattern',
      '      schedules: [{ name: Daily, kind: snapshot, expression: daily }]',
      /schedules\[0\]\.name: got "Daily", expected[\s\S]+schedules\[0\]\.expression: got "daily", expected cron/,
    ],
    [
      'a kind that is not there yet',
      '      schedules: [{ name: a, kind: weekly, expression: "rate(1 hour)" }]',
      /schedules\[0\]\.kind: got "weekly", expected .*"snapshot".*"incremental"/,
    ],
    [
      'a name used twice',
      `      schedules:
        - { name: a, kind: snapshot, expression: rate(1 hour) }
        - { name: a, kind: snapshot, expression: rate(2 hours) }`,
      /schedules\[1\]\.name: got "a" twice/,
    ],
    [
      'a schedule that is never due',
      '      schedules: [{ name: a, kind: snapshot, expression: cron(0 2 * * *) }]',
      /clusters\.demo\.schedules\[0\]\.expression: got cron\(0 2 \* \* \*\): got 5 fields, expected six/,
    ],
    [
      'a time zone that there is not, and a window longer than a run may wait',
      '      schedules: [{ name: a, kind: snapshot, expression: rate(1 hour), timezone: Mars/Phobos, windowMinutes: 721 }]',
      /timezone: got "Mars\/Phobos", expected an IANA time zone[\s\S]+windowMinutes: got 721, expected/,
    ],
    [
      'backups of a cluster that is not in the file, or is itself',
      '      restoresFrom: [nobody, demo]',
      /restoresFrom\[0\]: got "nobody", expected another[\s\S]+restoresFrom\[1\]: got "demo", expected another/,
    ],
    [
      'backups in a vault that is not in the file',
      '      restoresFrom: [{ cluster: demo, vault: dr }]',
      /restoresFrom\[0\]: got "dr", expected a name of `vaults`/,
    ],
    [
      'a heartbeat that Step Functions would refuse',
      '      policy: { heartbeatSeconds: 60, actionTimeoutSeconds: 60 }',
      /policy\.heartbeatSeconds: expected less than actionTimeoutSeconds/,
    ],
    [
      'an upload that would be stretched until it is timed out',
      '      limits: { finishWithinMinutes: 60 }\n      policy: { actionTimeoutSeconds: 3600 }',
      /limits\.finishWithinMinutes: expected less than policy\.actionTimeoutSeconds/,
    ],
    [
      'a schedule of consistent backups without a hook',
      '      schedules: [{ name: a, kind: consistent, expression: "rate(1 hour)" }]',
      /schedules\[0\]\.kind: got "consistent", expected `pause`/,
    ],
    [
      'a pause that the rendezvous alone would outlast',
      `      pause:
        maxSeconds: 30
        grpc: { srv: _admin._tcp.orders.internal, vpc: { subnetIds: [subnet-0a1b2c3d], securityGroupIds: [sg-0a1b2c3d] } }`,
      /pause\.maxSeconds: expected more than pause\.waitSeconds and policy\.rendezvousSeconds/,
    ],
    [
      'a pause without a hook',
      '      pause: { maxSeconds: 60 }',
      /pause: expected one of `grpc` and `command`/,
    ],
    [
      'shell text for the program that pauses',
      '      pause: { command: { tag: { key: app, value: shop }, program: "/opt/pause; reboot" } }',
      /pause\.command\.program: got "\/opt\/pause; reboot", expected an absolute path/,
    ],
    [
      'shell text for a command',
      '      limits: { reserveBytes: -1 }',
      /limits\.reserveBytes: got -1, expected/,
    ],
  ])('%s', (_, lines, problem) => {
    expect(() => parseConfiguration(`${CLUSTER}${lines}\n`)).toThrow(problem);
    expect(() => parseConfiguration(`${CLUSTER}${lines}\n`)).toThrow(
      expect.objectContaining({ name: 'InvalidConfiguration' }),
    );
  });

  it('a cluster without what is required', () => {
    expect(() => parseConfiguration('clusters: { demo: {} }')).toThrow(
      /clusters\.demo\.datacenters: .*expected array/,
    );
  });

  it('what is not YAML, a key given twice, and a file that is not there', () => {
    expect(() => parseConfiguration('clusters: [', 'some.yaml')).toThrow(/some\.yaml: /);
    expect(() => parseConfiguration('clusters: {}\nclusters: {}')).toThrow(/unique/);
    expect(() => readConfiguration('/nowhere.yaml')).toThrow(/\/nowhere\.yaml cannot be read/);
  });
});
