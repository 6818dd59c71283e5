// In which order resources are created: what a resource refers to exists before it.
import { DeploymentRefused } from './errors.ts';
import { functionOf, SUBSTITUTION } from './intrinsics.ts';
import type { TemplateResource } from './template.ts';

/** Logical IDs so that each comes after all that it refers to or depends on; otherwise as in the template. */
export function creationOrder(resources: Record<string, TemplateResource>): string[] {
  const ordered: string[] = [];
  const state = new Map<string, 'visiting' | 'done'>();
  const visit = (logicalId: string, trail: string[]) => {
    if (state.get(logicalId) === 'done') return;
    if (state.get(logicalId) === 'visiting') {
      throw new DeploymentRefused(`resources depend on each other: ${[...trail, logicalId].join(' → ')}`);
    }
    const resource = resources[logicalId];
    if (!resource) return;
    state.set(logicalId, 'visiting');
    const needed = new Set([...resource.DependsOn, ...references(resource.Properties)]);
    for (const name of needed) visit(name, [...trail, logicalId]);
    state.set(logicalId, 'done');
    ordered.push(logicalId);
  };
  for (const logicalId of Object.keys(resources)) visit(logicalId, []);
  return ordered;
}

/** Every name in Ref, Fn::GetAtt and Fn::Sub; parameters and pseudo-parameters are among them. */
function references(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (typeof value !== 'object' || value === null) return [];
  const [name, argument] = functionOf(value) ?? [];
  if (name === 'Ref') return [String(argument)];
  if (name === 'Fn::GetAtt')
    return [String(Array.isArray(argument) ? argument[0] : argument).replace(/\..*/, '')];
  const inside = Object.values(value).flatMap(references);
  if (name !== 'Fn::Sub') return inside;
  const pattern = String(Array.isArray(argument) ? argument[0] : argument);
  const names = [...pattern.matchAll(SUBSTITUTION)].map(([, , each]) => (each ?? '').replace(/\..*/, ''));
  return [...inside, ...names];
}
