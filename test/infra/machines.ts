// The synthesized machines' definitions as JSON.
import type { StateList } from './definition-lint.ts';
import { asText, resourcesOf } from './synthesized.ts';

export type Machine = StateList & { QueryLanguage: string; TimeoutSeconds: number };

export function machines(): Record<'Backup' | 'Restore' | 'Register' | 'Recover', Machine> {
  const found = resourcesOf('AWS::StepFunctions::StateMachine').map(([, { Properties }]) => [
    asText(Properties['StateMachineName']).replace(/^.*-/, ''),
    JSON.parse(asText(Properties['DefinitionString']).replaceAll('<AWS::Partition>', 'aws')) as Machine,
  ]);
  return Object.fromEntries(found) as ReturnType<typeof machines>;
}
