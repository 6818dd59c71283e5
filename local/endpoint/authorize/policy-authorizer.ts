// Decides every call by the policies that were deployed: a role's own, and the policy of the bucket, topic or queue.
import {
  type Authorizer,
  type Caller,
  type ConditionContext,
  LOCAL_ACCOUNT,
  LOCAL_REGION,
} from '../service.ts';
import { type ReadPolicy, readPolicy } from './policy-document.ts';
import { type AccessRequest, judge, principalNamesOf, type Verdict } from './statements.ts';

export interface RoleDefinition {
  arn: string;
  name: string;
  /** By name; documents as CloudFormation resolved them. */
  inlinePolicies: Record<string, unknown>;
  managedPolicies: Record<string, unknown>;
  /** The AssumeRolePolicyDocument. */
  trust: unknown;
}
export interface Decision {
  allowed: boolean;
  reason: string;
}

interface Role {
  name: string;
  policies: ReadPolicy[];
  trust: ReadPolicy;
}

export class PolicyAuthorizer implements Authorizer {
  readonly #roles = new Map<string, Role>();
  readonly #resourcePolicies = new Map<string, ReadPolicy>();

  putRole(definition: RoleDefinition): void {
    const read = (policies: Record<string, unknown>) =>
      Object.entries(policies).map(([name, document]) => readPolicy(`policy ${name}`, document));
    this.#roles.set(definition.arn, {
      name: definition.name,
      policies: [...read(definition.inlinePolicies), ...read(definition.managedPolicies)],
      trust: readPolicy(`trust policy of ${definition.name}`, definition.trust),
    });
  }

  removeRole(arn: string): void {
    this.#roles.delete(arn);
  }

  hasRole(arn: string): boolean {
    return this.#roles.has(arn);
  }

  putBucketPolicy(bucket: string, document: unknown): void {
    this.putResourcePolicy(`arn:aws:s3:::${bucket}`, document);
  }

  removeBucketPolicy(bucket: string): void {
    this.#resourcePolicies.delete(`arn:aws:s3:::${bucket}`);
  }

  /** Of a topic, a queue or a bucket; holds for what is below `<arn>/`, too. */
  putResourcePolicy(arn: string, document: unknown): void {
    this.#resourcePolicies.set(arn, readPolicy(`the policy of ${arn}`, document));
  }

  decide(caller: Caller, action: string, resource: string, conditions: ConditionContext = {}): Decision {
    const request = { action, resource, context: contextOf(caller, conditions) };
    const byResource = this.#judgeResource(caller, request);
    if (isRefusal(byResource)) return refused(byResource);
    if (caller.roleArn === undefined) return { allowed: true, reason: 'the operator may do everything' };
    const role = this.#roles.get(caller.roleArn);
    if (role === undefined) return { allowed: false, reason: `there is no role ${caller.roleArn}` };
    const byIdentity = judge(role.policies, request);
    if (isRefusal(byIdentity)) return refused(byIdentity);
    for (const verdict of [byIdentity, byResource]) {
      if (verdict.kind === 'allow') return { allowed: true, reason: `allowed by ${verdict.by}` };
    }
    return { allowed: false, reason: `no policy of role ${role.name} allows it` };
  }

  /** A service that acts by a role (Lambda, Scheduler, Step Functions): whether the role's trust policy lets it. */
  decideServiceTrust(roleArn: string, service: string, conditions: ConditionContext = {}): Decision {
    const context = {
      'aws:principalisawsservice': 'true',
      'aws:sourceaccount': LOCAL_ACCOUNT,
      ...conditions,
    };
    return this.#judgeTrust(
      roleArn,
      { action: 'sts:AssumeRole', resource: roleArn, context },
      (trust, request) => judge([trust], request, { aws: [], account: LOCAL_ACCOUNT, service }),
    );
  }

  /** `sts:AssumeRole` by a caller: its trust policy must let it, by name or, together with the caller's own policies, by account. */
  decideAssumeRole(caller: Caller, roleArn: string): Decision {
    const request = { action: 'sts:AssumeRole', resource: roleArn, context: contextOf(caller, {}) };
    return this.#judgeTrust(roleArn, request, (trust) => {
      const names = principalNamesOf(caller, LOCAL_ACCOUNT);
      const byName = judge([trust], request, names);
      if (byName.kind !== 'silent') return byName;
      const account = [LOCAL_ACCOUNT, `arn:aws:iam::${LOCAL_ACCOUNT}:root`];
      const byAccount = judge([trust], request, { ...names, aws: account });
      if (byAccount.kind !== 'allow') return byAccount;
      const own = this.decide(caller, request.action, roleArn);
      return own.allowed ? byAccount : { kind: 'deny', by: own.reason };
    });
  }

  #judgeTrust(
    roleArn: string,
    request: AccessRequest,
    judgement: (trust: ReadPolicy, request: AccessRequest) => Verdict,
  ): Decision {
    const role = this.#roles.get(roleArn);
    if (role === undefined) return { allowed: false, reason: `there is no role ${roleArn}` };
    const verdict = judgement(role.trust, request);
    if (verdict.kind === 'allow') return { allowed: true, reason: `allowed by ${verdict.by}` };
    if (verdict.kind === 'silent')
      return { allowed: false, reason: `${role.trust.name} does not name the caller` };
    return refused(verdict);
  }

  #judgeResource(caller: Caller, request: AccessRequest): Verdict {
    const owner = [...this.#resourcePolicies.keys()].find(
      (arn) => request.resource === arn || request.resource.startsWith(`${arn}/`),
    );
    const policy = owner === undefined ? undefined : this.#resourcePolicies.get(owner);
    if (policy === undefined) return { kind: 'silent' };
    return judge([policy], request, principalNamesOf(caller, LOCAL_ACCOUNT));
  }
}

/** The global keys that follow from the caller; the endpoint adds those that follow from the request. */
function contextOf(caller: Caller, conditions: ConditionContext): ConditionContext {
  const context: ConditionContext = {
    'aws:principalarn': caller.roleArn ?? caller.arn,
    'aws:principalaccount': LOCAL_ACCOUNT,
    'aws:principaltype': caller.roleArn === undefined ? 'User' : 'AssumedRole',
    'aws:principalisawsservice': 'false',
    'aws:requestedregion': LOCAL_REGION,
    'aws:resourceaccount': LOCAL_ACCOUNT,
    'aws:viaawsservice': 'false',
  };
  if (caller.instanceArn !== undefined) context['ec2:sourceinstancearn'] = caller.instanceArn;
  for (const [key, value] of Object.entries(conditions)) context[key.toLowerCase()] = value;
  return context;
}

type Refusal = Extract<Verdict, { kind: 'deny' } | { kind: 'not-understood' }>;

function isRefusal(verdict: Verdict): verdict is Refusal {
  return verdict.kind === 'deny' || verdict.kind === 'not-understood';
}

function refused(verdict: Refusal): Decision {
  return {
    allowed: false,
    reason: verdict.kind === 'deny' ? `explicitly denied by ${verdict.by}` : verdict.by,
  };
}
