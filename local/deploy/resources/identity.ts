// Roles and policies.
import { z } from 'zod';
import { resourceType } from '../resource-type.ts';

const document = z.record(z.string(), z.unknown());
const inline = z.array(z.strictObject({ PolicyName: z.string(), PolicyDocument: document }));

export const role = resourceType(
  {
    RoleName: z.string().optional(),
    AssumeRolePolicyDocument: document,
    Policies: inline.default([]),
    ManagedPolicyArns: z.array(z.string()).default([]),
  },
  ['Description', 'MaxSessionDuration', 'Tags'],
  async (properties, { platform: { roles }, physicalName, partition, account }) => {
    const name = properties.RoleName ?? physicalName(64);
    const arn = `arn:${partition}:iam::${account}:role/${name}`;
    roles.create({ arn, name, trust: properties.AssumeRolePolicyDocument });
    for (const { PolicyName, PolicyDocument } of properties.Policies) {
      roles.putInlinePolicy(name, PolicyName, PolicyDocument);
    }
    for (const policyArn of properties.ManagedPolicyArns) roles.attachManagedPolicy(name, policyArn);
    return { id: name, attributes: { Arn: arn, RoleId: `AROA${name.toUpperCase()}` } };
  },
);

export const policy = resourceType(
  { PolicyName: z.string(), PolicyDocument: document, Roles: z.array(z.string()).min(1) },
  [],
  async ({ PolicyName, PolicyDocument, Roles }, { platform: { roles }, physicalName }) => {
    for (const name of Roles) roles.putInlinePolicy(name, PolicyName, PolicyDocument);
    return { id: physicalName(128) };
  },
);

export const managedPolicy = resourceType(
  {
    ManagedPolicyName: z.string().optional(),
    PolicyDocument: document,
    Roles: z.array(z.string()).default([]),
    Path: z.literal('/').optional(),
  },
  ['Description'],
  async (properties, { platform: { roles }, physicalName, partition, account }) => {
    const name = properties.ManagedPolicyName ?? physicalName(128);
    const arn = `arn:${partition}:iam::${account}:policy/${name}`;
    roles.createManagedPolicy({ arn, name, document: properties.PolicyDocument });
    for (const each of properties.Roles) roles.attachManagedPolicy(each, arn);
    return { id: arn, attributes: { PolicyArn: arn } };
  },
);
