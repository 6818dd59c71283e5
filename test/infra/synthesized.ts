// The example's stack as `cdk synth` makes it, once a run.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { shared } from '../shared/shared.ts';

export type Resource = { Type: string; Properties: Record<string, unknown>; [key: string]: unknown };

/** With the feature flags of cdk.json, as the CLI gives them. */
export function exampleApp(outdir?: string): App {
  const { context } = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };
  return new App({ context, analyticsReporting: false, ...(outdir && { outdir }) });
}

const { directory } = await shared('assembly');
export const exampleTemplate = Template.fromString(
  readFileSync(join(directory, 'Ringvault.template.json'), 'utf8'),
);

export function resourcesOf(type: string, from = exampleTemplate): Array<[string, Resource]> {
  return Object.entries(from.findResources(type)) as Array<[string, Resource]>;
}

export interface Statement {
  Sid?: string;
  Effect: 'Allow' | 'Deny';
  Action: string | string[];
  Resource: unknown;
  Principal?: unknown;
  Condition?: Record<string, Record<string, unknown>>;
}

export function statementsOf(document: unknown): Statement[] {
  return (document as { Statement: Statement[] }).Statement;
}

export function actionsOf(statement: Statement): string[] {
  return [statement.Action].flat();
}

/** A policy's resources as text, what CloudFormation fills in as `<LogicalId>`. */
export function resourceTexts(statement: Statement): string[] {
  return [statement.Resource].flat().map(asText);
}

export function asText(value: unknown): string {
  if (typeof value === 'string') return value.replaceAll(/\$\{([A-Z][\w:]+)\}/g, '<$1>');
  const [[name, argument] = ['', undefined]] = Object.entries(value as Record<string, unknown>);
  if (name === 'Fn::Join') return (argument as [string, unknown[]])[1].map(asText).join('');
  if (name === 'Fn::GetAtt') return `<${(argument as string[]).join('.')}>`;
  if (name === 'Fn::Sub') return asText(argument);
  if (name === 'Fn::Select') {
    const [index, { 'Fn::Split': split }] = argument as [number, { 'Fn::Split': [string, unknown] }];
    return `<${asText(split[1])}[${index}]>`;
  }
  return `<${String(argument)}>`;
}
