// What a cluster with a pause hook adds to the stack: a function that calls its applications and may do nothing else, and a switch.
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { parseConfiguration } from '../../infra/configuration.ts';
import { RingvaultStack } from '../../infra/ringvault-stack.ts';
import { actionsOf, asText, exampleApp, resourcesOf, resourceTexts, statementsOf } from './synthesized.ts';

const vpc = { SubnetIds: ['subnet-0a1b2c3d'], SecurityGroupIds: ['sg-0a1b2c3d'] };
const configuration = parseConfiguration(`
clusters:
  orders:
    hosts: { tag: { key: cassandra, value: orders } }
    datacenters: [dc1]
    cassandra:
      cql: { credentialsSecretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf" }
    pause:
      grpc: { srv: _admin._tcp.orders.internal, vpc: { subnetIds: [subnet-0a1b2c3d], securityGroupIds: [sg-0a1b2c3d] } }
    schedules: [{ name: weekly, kind: consistent, expression: rate(7 days) }]
  shop:
    hosts: { tag: { key: cassandra, value: shop } }
    datacenters: [dc1]
    cassandra:
      cql: { credentialsSecretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop-AbCdEf" }
    pause:
      waitSeconds: 7
      command: { tag: { key: app, value: shop }, program: /opt/shop/pause }
  plain:
    hosts: { tag: { key: cassandra, value: plain } }
    datacenters: [dc1]
    cassandra:
      cql: { credentialsSecretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:plain-AbCdEf" }
`);
const template = Template.fromStack(new RingvaultStack(exampleApp(), 'Ringvault', { configuration }));

function functionsOf(pattern: RegExp) {
  return resourcesOf('AWS::Lambda::Function', template).filter(([id]) => pattern.test(id));
}
function statementsOfRole(pattern: RegExp) {
  return resourcesOf('AWS::IAM::Policy', template)
    .filter(([id]) => pattern.test(id))
    .flatMap(([, { Properties }]) => statementsOf(Properties['PolicyDocument']));
}
const allowed = (role: RegExp, action: string) =>
  statementsOfRole(role)
    .filter((each) => actionsOf(each).includes(action))
    .flatMap(resourceTexts);

describe('the function that calls applications by gRPC', () => {
  it('is in their VPC, one for each cluster with that hook, and no other function is', () => {
    const inVpc = functionsOf(/./).filter(([, { Properties }]) => Properties['VpcConfig']);
    expect(inVpc.map(([, { Properties }]) => Properties['VpcConfig'])).toEqual([vpc]);
    expect(inVpc[0]?.[0]).toMatch(/^Applicationsorders/);
  });

  it('may have network interfaces, write its log, and nothing else', () => {
    const actions = statementsOfRole(/^ApplicationsordersRole/).flatMap(actionsOf);
    expect(actions.filter((each) => !/^(?:logs|ec2):/.test(each))).toEqual([]);
    const denied = statementsOfRole(/^ApplicationsordersRole/).filter(({ Effect }) => Effect === 'Deny');
    expect(JSON.stringify(denied)).toContain('lambda:SourceFunctionArn');
    expect(denied.flatMap(actionsOf).sort()).toEqual(
      statementsOfRole(/^ApplicationsordersRole/)
        .filter(({ Effect }) => Effect === 'Allow')
        .flatMap(actionsOf)
        .filter((each) => each.startsWith('ec2:'))
        .sort(),
    );
    expect(
      actions.filter((each) => /^ec2:/.test(each) && !/NetworkInterface|Subnets|PrivateIp/.test(each)),
    ).toEqual([]);
  });

  it('is invoked by the three steps around a pause', () => {
    const callers = functionsOf(/^Applications/).map(([caller]) => `<${caller}.Arn>`);
    expect(callers).toHaveLength(2);
    const invoking = resourcesOf('AWS::IAM::Policy', template)
      .map(([id]) => id)
      .filter((id) => {
        const may = allowed(new RegExp(`^${id}$`), 'lambda:InvokeFunction');
        return callers.every((caller) => may.includes(caller));
      });
    expect(invoking.map((id) => id.replace(/^Steps(\w+?)Role.*$/, '$1')).sort()).toEqual([
      'CheckPaused',
      'PauseApplications',
      'ResumeApplications',
    ]);
  });
});

describe('the function that calls applications through Run Command', () => {
  const [[document, { Properties: content }] = ['', { Properties: {} as Record<string, unknown> }]] =
    resourcesOf('AWS::SSM::Document', template).filter(([id]) => /^Applicationsshop/.test(id));

  it('may send its own document, to the hosts of the applications, and no other', () => {
    const sends = statementsOfRole(/^ApplicationsshopRole/).filter((each) =>
      actionsOf(each).includes('ssm:SendCommand'),
    );
    expect(sends.flatMap(resourceTexts)).toEqual([
      expect.stringContaining(`:document/<${document}>`),
      expect.stringMatching(/:ec2:.*:instance\/\*$/),
    ]);
    expect(sends[1]?.Condition).toEqual({ StringEquals: { 'ssm:resourceTag/app': ['shop'] } });
    const [[, made] = ['', undefined]] = functionsOf(/^Applicationsshop/);
    expect(JSON.stringify(made?.Properties['Environment'])).toContain(document);
  });

  it('has a document whose one parameter is one of three words, and whose program is in it', () => {
    expect(content).toMatchObject({
      Content: {
        parameters: { call: { allowedValues: ['pause', 'resume', 'check'] } },
        mainSteps: [{ inputs: { timeoutSeconds: '30' } }],
      },
    });
    const text = JSON.stringify(content);
    expect(text).toContain("/opt/shop/pause\\\" '{{ call }}'");
    expect(text).toContain("RINGVAULT_WAIT_SECONDS='7' RINGVAULT_WAIT_OUTSTANDING='true'");
  });
});

it('an alarm tells of applications that could not be resumed, where there are any', () => {
  const alarms = resourcesOf('AWS::CloudWatch::Alarm', template).filter(([id]) =>
    /ApplicationsPaused/.test(id),
  );
  const [[resumer] = ['']] = functionsOf(/^StepsResumeApplications/);
  expect(alarms.map(([, { Properties }]) => Properties)).toMatchObject([
    { MetricName: 'Errors', Threshold: 0, Dimensions: [{ Value: { Ref: resumer } }] },
  ]);
  expect(resourcesOf('AWS::CloudWatch::Alarm').filter(([id]) => /ApplicationsPaused/.test(id))).toEqual([]);
});

describe('the switch', () => {
  const [[resume] = ['']] = functionsOf(/^StepsResumeApplications/);

  it('may resume, for schedules of its own group alone', () => {
    expect(statementsOfRole(/^PauseSwitchRole/)).toMatchObject([
      { Action: 'lambda:InvokeFunction', Resource: { 'Fn::GetAtt': [resume, 'Arn'] } },
    ]);
    const [[, role] = ['', undefined]] = resourcesOf('AWS::IAM::Role', template).filter(([id]) =>
      id.startsWith('PauseSwitchRole'),
    );
    const [trust] = statementsOf(role?.Properties['AssumeRolePolicyDocument']);
    expect(trust).toMatchObject({ Principal: { Service: 'scheduler.amazonaws.com' } });
    expect(asText(trust?.Condition?.['StringEquals']?.['aws:SourceArn'])).toMatch(
      /^<PauseSwitchGroup\w+\.Arn>$/,
    );
  });

  it('is set by PauseApplications, which may pass its role to Scheduler, and cleared by both', () => {
    const schedules = expect.stringMatching(/:schedule\/Ringvault-PauseSwitch-Group-\w+\/\*$/);
    expect(allowed(/^StepsPauseApplicationsRole/, 'scheduler:CreateSchedule')).toEqual([schedules]);
    expect(allowed(/^StepsPauseApplicationsRole/, 'scheduler:DeleteSchedule')).toEqual([schedules]);
    expect(allowed(/^StepsResumeApplicationsRole/, 'scheduler:DeleteSchedule')).toEqual([schedules]);
    expect(allowed(/^StepsResumeApplicationsRole/, 'scheduler:CreateSchedule')).toEqual([]);
    const passing = resourcesOf('AWS::IAM::Policy', template).flatMap(([, { Properties }]) =>
      statementsOf(Properties['PolicyDocument']).filter((each) => actionsOf(each).includes('iam:PassRole')),
    );
    expect(passing).toHaveLength(1);
    expect(passing[0]?.Condition).toEqual({
      StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' },
    });
    expect(allowed(/^StepsPauseApplicationsRole/, 'iam:PassRole')).toEqual([
      expect.stringMatching(/^<PauseSwitchRole\w+\.Arn>$/),
    ]);
  });
});
