// Whether statements of policies apply to a request, and what they say.
import type { Caller, ConditionContext } from '../service.ts';
import { evaluateConditions } from './conditions.ts';
import { compilePattern } from './patterns.ts';
import type { Principal, ReadPolicy, Statement } from './policy-document.ts';

export interface AccessRequest {
  action: string;
  resource: string;
  context: ConditionContext;
}
/** What a set of policies says; `not-understood` counts as an explicit deny. */
export type Verdict =
  | { kind: 'deny'; by: string }
  | { kind: 'allow'; by: string }
  | { kind: 'silent' }
  | { kind: 'not-understood'; by: string };

/** A caller's names in `Principal` elements; undefined for an identity policy, which has none. */
export interface PrincipalNames {
  aws: string[];
  account: string;
  service?: string;
}

/** Explicit deny wins over allow; what is not understood wins over both. */
export function judge(policies: ReadPolicy[], request: AccessRequest, principal?: PrincipalNames): Verdict {
  let verdict: Verdict = { kind: 'silent' };
  for (const policy of policies) {
    if ('notUnderstood' in policy) {
      return { kind: 'not-understood', by: `${policy.name} is not understood: ${policy.notUnderstood}` };
    }
    for (const [index, statement] of policy.statements.entries()) {
      const by = `statement ${statement.Sid ?? index} of ${policy.name}`;
      const applies = statementApplies(statement, request, principal);
      if (applies === false) continue;
      if (applies !== true) return { kind: 'not-understood', by: `${by} is not understood: ${applies}` };
      if (statement.Effect === 'Deny') verdict = { kind: 'deny', by };
      else if (verdict.kind === 'silent') verdict = { kind: 'allow', by };
    }
  }
  return verdict;
}

/** Answers why where it is not understood. */
function statementApplies(
  statement: Statement,
  request: AccessRequest,
  principal: PrincipalNames | undefined,
): boolean | string {
  if (!principalMatches(statement, principal) || !actionMatches(statement, request)) return false;
  if (!resourceMatches(statement, request)) return false;
  const outcome = evaluateConditions(statement.Condition, request.context);
  if (typeof outcome === 'object') return outcome.notUnderstood;
  return outcome === 'holds';
}

function principalMatches(statement: Statement, principal: PrincipalNames | undefined): boolean {
  if (principal === undefined) return true;
  const { AWS = [], Service = [] }: Principal = statement.Principal ?? {};
  if (principal.service !== undefined && Service.includes(principal.service)) return true;
  const names = ['*', ...principal.aws];
  // The account's own name denies everybody in it; an allow for it leaves the decision to identity policies.
  if (statement.Effect === 'Deny') names.push(principal.account, `arn:aws:iam::${principal.account}:root`);
  return AWS.some((name) => names.includes(name));
}

function actionMatches(statement: Statement, { action, context }: AccessRequest): boolean {
  const matches = (patterns: string[]) =>
    patterns.some((pattern) => compilePattern(pattern, context, 'i')?.test(action) ?? false);
  return statement.Action !== undefined ? matches(statement.Action) : !matches(statement.NotAction ?? []);
}

function resourceMatches(statement: Statement, { resource, context }: AccessRequest): boolean {
  const matches = (patterns: string[]) =>
    patterns.some((pattern) => compilePattern(pattern, context)?.test(resource) ?? false);
  if (statement.Resource !== undefined) return matches(statement.Resource);
  // A trust policy has no resource.
  return statement.NotResource === undefined || !matches(statement.NotResource);
}

export function principalNamesOf(caller: Caller, account: string): PrincipalNames {
  return { aws: caller.roleArn === undefined ? [caller.arn] : [caller.arn, caller.roleArn], account };
}
