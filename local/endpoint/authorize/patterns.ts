// Wildcards and policy variables of IAM policy elements.
import type { ConditionContext } from '../service.ts';

/**
 * Puts values in place of `${key}`, `${key, 'default'}` and the escapes `${*}`, `${?}`, `${$}`. Values are literal: a `*` in
 * one matches itself alone. Undefined where a variable has no single value: the element then matches nothing.
 */
export function compilePattern(pattern: string, context: ConditionContext, flags = ''): RegExp | undefined {
  let source = '';
  for (const part of pattern.split(/(\$\{[^}]*\}|\*|\?)/)) {
    if (part === '*') source += '[\\s\\S]*';
    else if (part === '?') source += '[\\s\\S]';
    else if (part.startsWith('${')) {
      const value = variableValue(part.slice(2, -1), context);
      if (value === undefined) return undefined;
      source += escapeRegExp(value);
    } else source += escapeRegExp(part);
  }
  return new RegExp(`^${source}$`, flags);
}

/** The pattern with its variables replaced and no wildcards: for operators that compare as it stands. */
export function substitute(pattern: string, context: ConditionContext): string | undefined {
  let text = '';
  for (const part of pattern.split(/(\$\{[^}]*\})/)) {
    const value = part.startsWith('${') ? variableValue(part.slice(2, -1), context) : part;
    if (value === undefined) return undefined;
    text += value;
  }
  return text;
}

function variableValue(inner: string, context: ConditionContext): string | undefined {
  if (inner === '*' || inner === '?' || inner === '$') return inner;
  const match = /^([^,]+?)(?:\s*,\s*'([^']*)')?$/.exec(inner.trim());
  const value = context[(match?.[1] ?? inner).toLowerCase()];
  return typeof value === 'string' ? value : match?.[2];
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
