// IAM as far as a template needs it: roles, the policies in and beside them, and managed policies. The authorizer decides by
// what is put together here.
import type { PolicyAuthorizer } from '../endpoint/authorize/policy-authorizer.ts';
import { DeploymentRefused } from './errors.ts';

interface Role {
  arn: string;
  name: string;
  trust: unknown;
  inlinePolicies: Record<string, unknown>;
  managedPolicies: Record<string, unknown>;
}

/** AWS's own managed policies that may be named: what they allow (writing logs) is not authorised here. */
const AWS_MANAGED = ['arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'];

export class Roles {
  readonly #authorizer: PolicyAuthorizer;
  readonly #roles = new Map<string, Role>();
  readonly #managed = new Map<string, { name: string; document: unknown }>();

  constructor(authorizer: PolicyAuthorizer) {
    this.#authorizer = authorizer;
  }

  create(role: { arn: string; name: string; trust: unknown }): void {
    const created = { ...role, inlinePolicies: {}, managedPolicies: {} };
    this.#roles.set(role.name, created);
    this.#authorizer.putRole(created);
  }

  putInlinePolicy(roleName: string, policyName: string, document: unknown): void {
    const role = this.#find(roleName);
    role.inlinePolicies[policyName] = document;
    this.#authorizer.putRole(role);
  }

  createManagedPolicy(policy: { arn: string; name: string; document: unknown }): void {
    this.#managed.set(policy.arn, policy);
  }

  attachManagedPolicy(roleName: string, policyArn: string): void {
    if (AWS_MANAGED.includes(policyArn)) return;
    const policy = this.#managed.get(policyArn);
    if (!policy)
      throw new DeploymentRefused(`role ${roleName}: there is no managed policy ${policyArn} here`);
    const role = this.#find(roleName);
    role.managedPolicies[policy.name] = policy.document;
    this.#authorizer.putRole(role);
  }

  #find(name: string): Role {
    const role = this.#roles.get(name);
    if (!role) throw new DeploymentRefused(`there is no role ${name} here`);
    return role;
  }
}
