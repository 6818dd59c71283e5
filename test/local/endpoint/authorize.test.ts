// Policies decide as IAM does; what the local cloud does not understand is a deny that says why.
import { describe, expect, it } from 'vitest';
import { PolicyAuthorizer } from '../../../local/endpoint/authorize/policy-authorizer.ts';
import { OPERATOR } from '../../../local/endpoint/identities.ts';
import type { Caller, ConditionContext } from '../../../local/endpoint/service.ts';

const roleArn = 'arn:aws:iam::111122223333:role/reader';
const caller: Caller = { arn: 'arn:aws:sts::111122223333:assumed-role/reader/session', roleArn };
const bucketArn = 'arn:aws:s3:::vault';

type Statement = Record<string, unknown>;
const policy = (...Statement: Statement[]) => ({ Version: '2012-10-17', Statement });

function decide(
  statements: Statement[],
  request: {
    action: string;
    resource: string;
    conditions?: ConditionContext;
    caller?: Caller;
    bucketPolicy?: unknown;
  },
) {
  const authorizer = new PolicyAuthorizer();
  authorizer.putRole({
    arn: roleArn,
    name: 'reader',
    inlinePolicies: { own: policy(...statements) },
    managedPolicies: {},
    trust: policy(),
  });
  if (request.bucketPolicy !== undefined) authorizer.putBucketPolicy('vault', request.bucketPolicy);
  return authorizer.decide(request.caller ?? caller, request.action, request.resource, request.conditions);
}

const get = { action: 's3:GetObject', resource: `${bucketArn}/a/b` };
const allow = (more: Statement): Statement => ({ Effect: 'Allow', ...more });

describe('identity policies', () => {
  it.each([
    ['nothing', [], false],
    ['the action and the resource', [allow({ Action: 's3:GetObject', Resource: `${bucketArn}/a/*` })], true],
    ['the action in another case', [allow({ Action: 'S3:getobject', Resource: '*' })], true],
    ['a wildcard', [allow({ Action: 's3:Get*', Resource: `${bucketArn}/?/b` })], true],
    ['another resource', [allow({ Action: 's3:GetObject', Resource: `${bucketArn}/c/*` })], false],
    ['the bucket without its keys', [allow({ Action: 's3:GetObject', Resource: bucketArn })], false],
    ['all but another action', [allow({ NotAction: 's3:Put*', Resource: '*' })], true],
    ['all but this action', [allow({ NotAction: ['s3:Get*'], Resource: '*' })], false],
    ['all but this resource', [allow({ Action: '*', NotResource: `${bucketArn}/a/*` })], false],
    [
      'it, and denies it',
      [allow({ Action: '*', Resource: '*' }), { Effect: 'Deny', Action: 's3:GetObject', Resource: '*' }],
      false,
    ],
    ['a point where it stands for itself', [allow({ Action: 's3.GetObject', Resource: '*' })], false],
  ])('that allow %s', (_name, statements, allowed) => {
    expect(decide(statements, get).allowed).toBe(allowed);
  });

  it('put the values of variables in, literally', () => {
    const own = [allow({ Action: 's3:GetObject', Resource: `${bucketArn}/\${ec2:SourceInstanceARN}/*` })];
    const instanceArn = 'arn:aws:ec2:eu-west-1:111122223333:instance/i-1';
    const host = { ...caller, instanceArn };
    const resource = `${bucketArn}/${instanceArn}/x`;
    expect(decide(own, { ...get, resource, caller: host }).allowed).toBe(true);
    expect(decide(own, { ...get, resource: `${bucketArn}/${instanceArn}2/x`, caller: host }).allowed).toBe(
      false,
    );
    expect(decide(own, { ...get, resource, caller }).allowed).toBe(false);
    const star = { ...caller, instanceArn: '*' };
    expect(decide(own, { ...get, resource, caller: star }).allowed).toBe(false);
    const escaped = [allow({ Action: 's3:GetObject', Resource: `${bucketArn}/\${*}` })];
    expect(decide(escaped, get).allowed).toBe(false);
    expect(decide(escaped, { ...get, resource: `${bucketArn}/*` }).allowed).toBe(true);
  });

  it('that nobody deployed allow nothing', () => {
    const other = { ...caller, roleArn: 'arn:aws:iam::111122223333:role/none' };
    expect(new PolicyAuthorizer().decide(other, get.action, get.resource)).toMatchObject({ allowed: false });
  });
});

describe('conditions', () => {
  const on = (Condition: Record<string, unknown>, conditions: ConditionContext = {}) =>
    decide([allow({ Action: '*', Resource: '*', Condition })], { ...get, conditions }).allowed;

  it.each([
    [{ StringEquals: { 's3:prefix': ['a', 'b'] } }, { 's3:prefix': 'b' }, true],
    [{ StringEquals: { 's3:prefix': 'b*' } }, { 's3:prefix': 'bc' }, false],
    [{ StringLike: { 's3:prefix': 'b*' } }, { 's3:prefix': 'bc' }, true],
    [{ StringEquals: { 's3:prefix': 'b' } }, {}, false],
    [{ StringEqualsIfExists: { 's3:prefix': 'b' } }, {}, true],
    [{ StringNotEquals: { 's3:prefix': ['a', 'b'] } }, { 's3:prefix': 'b' }, false],
    [{ StringNotEquals: { 's3:prefix': ['a', 'b'] } }, { 's3:prefix': 'c' }, true],
    [{ StringNotEquals: { 's3:prefix': 'a' } }, {}, true],
    [
      { ArnLike: { 'aws:SourceArn': 'arn:aws:states:*:*:x' } },
      { 'aws:sourcearn': 'arn:aws:states:e:1:x' },
      true,
    ],
    [{ ArnEquals: { 'aws:PrincipalArn': roleArn } }, {}, true],
    [{ Bool: { 'aws:SecureTransport': false } }, { 'aws:securetransport': 'false' }, true],
    [{ Bool: { 'aws:SecureTransport': 'false' } }, {}, false],
    [{ BoolIfExists: { 'aws:SecureTransport': 'false' } }, {}, true],
    [{ Null: { 's3:if-none-match': 'true' } }, {}, true],
    [{ Null: { 's3:if-none-match': 'true' } }, { 's3:if-none-match': '*' }, false],
    [{ Null: { 's3:if-none-match': 'false' } }, { 's3:if-none-match': '*' }, true],
    [{ NumericLessThan: { 's3:TlsVersion': 1.2 } }, { 's3:tlsversion': '1.1' }, true],
    [{ NumericLessThan: { 's3:TlsVersion': 1.2 } }, {}, false],
    [{ StringEquals: { 's3:prefix': 'a', 's3:delimiter': '/' } }, { 's3:prefix': 'a' }, false],
    [{ 'ForAllValues:StringEquals': { 'x:keys': ['a', 'b'] } }, { 'x:keys': ['a', 'c'] }, false],
    [{ 'ForAnyValue:StringEquals': { 'x:keys': ['a', 'b'] } }, { 'x:keys': ['a', 'c'] }, true],
  ])('%j of a request with %j', (condition, conditions, holds) => {
    expect(on(condition, conditions as ConditionContext)).toBe(holds);
  });
});

describe('what is not understood', () => {
  it.each([
    [
      'an operator',
      allow({ Action: '*', Resource: '*', Condition: { IpAddress: { 'aws:SourceIp': '::1' } } }),
      'IpAddress',
    ],
    [
      'a key',
      allow({ Action: '*', Resource: '*', Condition: { StringEquals: { 'aws:userid': 'x' } } }),
      'aws:userid',
    ],
    ['an element', allow({ Action: '*', Resource: '*', Conditions: {} }), 'Conditions'],
    ['an effect', { Effect: 'allow', Action: '*', Resource: '*' }, 'Effect'],
  ])('%s denies what other statements allow, and is named', (_name, statement, named) => {
    const { allowed, reason } = decide([allow({ Action: '*', Resource: '*' }), statement], get);
    expect(allowed).toBe(false);
    expect(reason).toContain(named);
  });

  it('a document without its version denies', () => {
    const authorizer = new PolicyAuthorizer();
    const inlinePolicies = { own: { Statement: [allow({ Action: '*', Resource: '*' })] } };
    authorizer.putRole({
      arn: roleArn,
      name: 'reader',
      inlinePolicies,
      managedPolicies: {},
      trust: policy(),
    });
    expect(authorizer.decide(caller, get.action, get.resource)).toMatchObject({
      allowed: false,
      reason: expect.stringContaining('Version'),
    });
  });
});

describe('resource policies', () => {
  const bucketPolicy = (more: Statement) => policy({ Principal: '*', Action: '*', Resource: '*', ...more });
  const everything = [allow({ Action: '*', Resource: '*' })];

  it('deny everyone whom they name, the operator too', () => {
    const deny = bucketPolicy({ Effect: 'Deny' });
    expect(decide(everything, { ...get, bucketPolicy: deny }).allowed).toBe(false);
    expect(decide(everything, { ...get, bucketPolicy: deny, caller: OPERATOR }).allowed).toBe(false);
    const root = bucketPolicy({ Effect: 'Deny', Principal: { AWS: 'arn:aws:iam::111122223333:root' } });
    expect(decide(everything, { ...get, bucketPolicy: root, caller: OPERATOR }).allowed).toBe(false);
    const service = bucketPolicy({ Effect: 'Deny', Principal: { Service: 'lambda.amazonaws.com' } });
    expect(decide(everything, { ...get, bucketPolicy: service }).allowed).toBe(true);
  });

  it('allow the role that they name, and leave the account to its own policies', () => {
    const byRole = bucketPolicy({ Effect: 'Allow', Principal: { AWS: roleArn } });
    expect(decide([], { ...get, bucketPolicy: byRole }).allowed).toBe(true);
    const byAccount = bucketPolicy({ Effect: 'Allow', Principal: { AWS: '111122223333' } });
    expect(decide([], { ...get, bucketPolicy: byAccount }).allowed).toBe(false);
  });

  it('hold for their own bucket alone', () => {
    const deny = bucketPolicy({ Effect: 'Deny' });
    expect(
      decide(everything, { ...get, resource: 'arn:aws:s3:::vault-2/a', bucketPolicy: deny }).allowed,
    ).toBe(true);
  });
});

describe('trust policies', () => {
  function trusting(trust: unknown): PolicyAuthorizer {
    const authorizer = new PolicyAuthorizer();
    authorizer.putRole({ arn: roleArn, name: 'reader', inlinePolicies: {}, managedPolicies: {}, trust });
    return authorizer;
  }
  const assume = (Principal: unknown, Condition = {}) =>
    policy({ Effect: 'Allow', Action: 'sts:AssumeRole', Principal, Condition });

  it('let in the services that they name, from where they say', () => {
    const trust = assume(
      { Service: 'scheduler.amazonaws.com' },
      { StringEquals: { 'aws:SourceAccount': '111122223333' } },
    );
    const authorizer = trusting(trust);
    expect(authorizer.decideServiceTrust(roleArn, 'scheduler.amazonaws.com').allowed).toBe(true);
    expect(authorizer.decideServiceTrust(roleArn, 'lambda.amazonaws.com').allowed).toBe(false);
    const elsewhere = { 'aws:sourceaccount': '999999999999' };
    expect(authorizer.decideServiceTrust(roleArn, 'scheduler.amazonaws.com', elsewhere).allowed).toBe(false);
  });

  it('let in whom they name; an account’s own name asks the caller’s policies as well', () => {
    expect(trusting(assume({ AWS: OPERATOR.arn })).decideAssumeRole(OPERATOR, roleArn).allowed).toBe(true);
    const byAccount = trusting(assume({ AWS: 'arn:aws:iam::111122223333:root' }));
    expect(byAccount.decideAssumeRole(OPERATOR, roleArn).allowed).toBe(true);
    expect(byAccount.decideAssumeRole(caller, roleArn).allowed).toBe(false);
    const byService = trusting(assume({ Service: 'lambda.amazonaws.com' }));
    expect(byService.decideAssumeRole(OPERATOR, roleArn).allowed).toBe(false);
  });
});
