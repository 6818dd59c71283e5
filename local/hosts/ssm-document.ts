// What an SSM command document may hold here (schema 2.2, the two plugins that Ringvault uses), and how its parameters are
// checked and put into it. Used by the SSM service, which refuses, and by the agent, which runs.
import { z } from 'zod';

/** AWS: allowedPattern and the like apply to the value sent; `interpolationType` needs agent 3.3.2746.0. */
const parameterDefinition = z.strictObject({
  type: z.literal('String'),
  description: z.string().optional(),
  default: z.string().optional(),
  allowedPattern: z.string().optional(),
  allowedValues: z.array(z.string()).optional(),
  minChars: z.int().optional(),
  maxChars: z.int().optional(),
  interpolationType: z.literal('ENV_VAR').optional(),
});

const precondition = z
  .strictObject({ StringEquals: z.tuple([z.literal('platformType'), z.enum(['Linux', 'Windows', 'MacOS'])]) })
  .optional();
/** What follows a step that failed: by default the next step runs all the same. */
const onFailure = z.enum(['exit', 'successAndExit']).optional();

const downloadContent = z.strictObject({
  action: z.literal('aws:downloadContent'),
  name: z.string().regex(/^[a-zA-Z0-9_]{1,128}$/),
  precondition,
  inputs: z.strictObject({
    sourceType: z.literal('S3'),
    sourceInfo: z.union([
      z.string().transform((json) => z.strictObject({ path: z.string() }).parse(JSON.parse(json))),
      z.strictObject({ path: z.string() }),
    ]),
    destinationPath: z.string().default(''),
    onFailure,
  }),
});
const runShellScript = z.strictObject({
  action: z.literal('aws:runShellScript'),
  name: z.string().regex(/^[a-zA-Z0-9_]{1,128}$/),
  precondition,
  inputs: z.strictObject({
    runCommand: z.array(z.string()),
    workingDirectory: z.string().default(''),
    timeoutSeconds: z.union([z.string(), z.number()]).default(3600),
    onFailure,
  }),
});
const step = z.discriminatedUnion('action', [downloadContent, runShellScript]);
export type DownloadContentStep = z.infer<typeof downloadContent>;
export type RunShellScriptStep = z.infer<typeof runShellScript>;
export type DocumentStep = z.infer<typeof step>;

export const documentContent = z
  .strictObject({
    schemaVersion: z.literal('2.2'),
    description: z.string().optional(),
    parameters: z.record(z.string(), parameterDefinition).default({}),
    mainSteps: z.array(step).min(1),
  })
  .superRefine((content, context) => {
    for (const name of placeholders(content.mainSteps)) {
      if (content.parameters[name]) continue;
      context.addIssue({ code: 'custom', path: ['mainSteps'], message: `{{ ${name} }} is not a parameter` });
    }
  });
export type DocumentContent = z.infer<typeof documentContent>;

const PLACEHOLDER = /\{\{\s*([\w.:-]+)\s*\}\}/g;

function placeholders(steps: readonly DocumentStep[]): string[] {
  return [...JSON.stringify(steps).matchAll(PLACEHOLDER)].map(([, name]) => name ?? '');
}

/** A parameter's value as SSM would refuse it: the reason, or undefined where all are good. */
export function parameterProblem(
  content: DocumentContent,
  given: Readonly<Record<string, string[]>>,
): string | undefined {
  for (const name of Object.keys(given)) {
    if (!content.parameters[name]) return `parameter ${name} is not defined in the document`;
  }
  for (const [name, definition] of Object.entries(content.parameters)) {
    const values = given[name];
    if (values && values.length !== 1) return `parameter ${name}: got ${values.length} values, expected one`;
    const value = values?.[0] ?? definition.default;
    if (value === undefined) return `parameter ${name} is missing`;
    const { allowedPattern, allowedValues, minChars = 0, maxChars = Number.POSITIVE_INFINITY } = definition;
    if (allowedPattern !== undefined && !matchesWhole(allowedPattern, value)) {
      return `parameter ${name}: the value does not match allowedPattern ${allowedPattern}`;
    }
    if (allowedValues && !allowedValues.includes(value)) {
      return `parameter ${name}: the value is not one of ${allowedValues.join(', ')}`;
    }
    if (value.length < minChars || value.length > maxChars)
      return `parameter ${name}: the value's length is wrong`;
  }
  return undefined;
}

/** Java's `matches`: a newline at the end does not slip through `$`. */
function matchesWhole(pattern: string, value: string): boolean {
  return new RegExp(`^(?:${pattern})$`, 'u').exec(value)?.[0] === value;
}

/** The values that a document runs with: those given, else the defaults. */
export function parameterValues(
  content: DocumentContent,
  given: Readonly<Record<string, string[]>>,
): Map<string, string> {
  return new Map(
    Object.entries(content.parameters).map(([name, { default: fallback = '' }]) => [
      name,
      given[name]?.[0] ?? fallback,
    ]),
  );
}

/** Pastes values into a text, as the agent does; parameters that come by environment variable are left alone. */
export function substitute(
  content: DocumentContent,
  values: ReadonlyMap<string, string>,
  text: string,
): string {
  return text.replaceAll(PLACEHOLDER, (whole, name: string) =>
    content.parameters[name]?.interpolationType === 'ENV_VAR' ? whole : (values.get(name) ?? whole),
  );
}

/** `SSM_<name>` for each parameter with `interpolationType: ENV_VAR`. */
export function parameterEnvironment(
  content: DocumentContent,
  values: ReadonlyMap<string, string>,
): Record<string, string> {
  const names = Object.keys(content.parameters).filter(
    (name) => content.parameters[name]?.interpolationType === 'ENV_VAR',
  );
  return Object.fromEntries(names.map((name) => [`SSM_${name}`, values.get(name) ?? '']));
}
