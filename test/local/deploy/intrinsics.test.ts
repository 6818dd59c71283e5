// biome-ignore-all lint/suspicious/noTemplateCurlyInString: CloudFormation's own way to name what is put in.
// Intrinsic functions mean what CloudFormation's documentation says; what is unknown is refused by name.
import { describe, expect, it } from 'vitest';
import { DeploymentRefused } from '../../../local/deploy/errors.ts';
import { resolveCondition, resolveValue, type Scope } from '../../../local/deploy/intrinsics.ts';
import { creationOrder } from '../../../local/deploy/order.ts';
import { templateResource } from '../../../local/deploy/template.ts';

const scope: Scope = {
  ref: (name) => `<${name}>`,
  attribute: (logicalId, attribute) => `<${logicalId}.${attribute}>`,
  condition: (name) => name === 'IsTrue',
  mapping: (map, top, second) => `${map}/${top}/${second}`,
};
const resolve = (value: unknown) => resolveValue(scope, value, 'Resource');

describe('a value', () => {
  it.each([
    ['Ref', { Ref: 'Bucket' }, '<Bucket>'],
    ['Fn::GetAtt as a list', { 'Fn::GetAtt': ['Role', 'Arn'] }, '<Role.Arn>'],
    ['Fn::GetAtt as text', { 'Fn::GetAtt': 'Role.Nested.Arn' }, '<Role.Nested.Arn>'],
    ['Fn::Join', { 'Fn::Join': ['-', ['a', { Ref: 'B' }]] }, 'a-<B>'],
    ['Fn::Sub', { 'Fn::Sub': '${A}/${B.Arn}/${!Literal}' }, '<A>/<B.Arn>/${Literal}'],
    ['Fn::Sub with values', { 'Fn::Sub': ['${Own}:${A}', { Own: { Ref: 'X' } }] }, '<X>:<A>'],
    ['Fn::Select and Fn::Split', { 'Fn::Select': ['1', { 'Fn::Split': ['/', 'a/b'] }] }, 'b'],
    ['Fn::If', { 'Fn::If': ['IsTrue', 'yes', 'no'] }, 'yes'],
    ['Fn::FindInMap', { 'Fn::FindInMap': ['Map', { Ref: 'T' }, 'S'] }, 'Map/<T>/S'],
  ])('of %s', (_name, value, expected) => {
    expect(resolve({ deep: [value] })).toEqual({ deep: [expected] });
  });

  it('leaves out what is AWS::NoValue', () => {
    const absent = { 'Fn::If': ['IsFalse', 'x', { Ref: 'AWS::NoValue' }] };
    expect(resolve({ kept: 1, absent, list: [absent, 2] })).toEqual({ kept: 1, list: [2] });
  });

  it('is data where a key only looks like a function', () => {
    const statement = { Condition: { Bool: { 'aws:SecureTransport': 'false' } } };
    expect(resolve(statement)).toEqual(statement);
  });

  it.each(['Fn::ImportValue', 'Fn::Transform', 'Fn::GetAZs'])('refuses %s by name', (name) => {
    expect(() => resolve({ Property: { [name]: 'x' } })).toThrow(DeploymentRefused);
    expect(() => resolve({ Property: { [name]: 'x' } })).toThrow(`Resource.Property: ${name}`);
  });
});

describe('a condition', () => {
  it('combines others', () => {
    const equals = { 'Fn::Equals': [{ Ref: 'A' }, '<A>'] };
    const combined = {
      'Fn::And': [equals, { 'Fn::Or': [{ 'Fn::Not': [equals] }, { Condition: 'IsTrue' }] }],
    };
    expect(resolveCondition(scope, combined, 'C')).toBe(true);
    expect(resolveCondition(scope, { 'Fn::Not': [combined] }, 'C')).toBe(false);
  });
});

describe('the order of creation', () => {
  const resource = (properties: object, dependsOn?: string[]) =>
    templateResource.parse({ Type: 'T', Properties: properties, ...(dependsOn && { DependsOn: dependsOn }) });

  it('has everything before what refers to it', () => {
    const order = creationOrder({
      Last: resource({ a: [{ Ref: 'Middle' }] }),
      Middle: resource({ a: { 'Fn::Sub': ['${First.Arn}', {}] }, b: { Ref: 'AWS::Region' } }, ['Other']),
      First: resource({}),
      Other: resource({ a: { 'Fn::GetAtt': ['First', 'Arn'] } }),
    });
    for (const [before, after] of [
      ['First', 'Other'],
      ['Other', 'Middle'],
      ['First', 'Middle'],
      ['Middle', 'Last'],
    ] as const) {
      expect(order.indexOf(before)).toBeLessThan(order.indexOf(after));
    }
  });

  it('refuses a circle, naming it', () => {
    const circle = { A: resource({ b: { Ref: 'B' } }), B: resource({ a: { Ref: 'A' } }) };
    expect(() => creationOrder(circle)).toThrow('A → B → A');
  });
});
