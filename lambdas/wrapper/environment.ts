// The Lambda's environment, parsed; names as in docs/architecture.md.
import { z } from 'zod';
import { pauseSwitchTarget } from '../../adapters/pause-switch-scheduler.ts';
import { describeIssues } from '../../contracts/documents.ts';
import { InvalidConfiguration } from '../../contracts/errors.ts';
import { clusterId, kmsKeyArn } from '../../contracts/identifiers.ts';

const json = z.string().transform((text, context) => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    context.addIssue({ code: 'custom', message: `got ${text}, expected JSON` });
    return z.NEVER;
  }
});

const environment = z.object({
  RINGVAULT_BUCKET: z.string().min(1),
  RINGVAULT_PREFIX: z.string().default(''),
  RINGVAULT_TABLE: z.string().min(1).optional(),
  RINGVAULT_TOPIC_ARN: z.string().min(1).optional(),
  RINGVAULT_ACTION_DOCUMENT: z.string().min(1).optional(),
  RINGVAULT_PREPARE_X64_DOCUMENT: z.string().min(1).optional(),
  RINGVAULT_PREPARE_ARM64_DOCUMENT: z.string().min(1).optional(),
  RINGVAULT_APPLICATIONS_DOCUMENT: z.string().min(1).optional(),
  RINGVAULT_KMS_KEYS: json.pipe(z.record(clusterId, kmsKeyArn)).optional(),
  RINGVAULT_APPLICATION_CALLERS: json.pipe(z.record(clusterId, z.string().min(1))).optional(),
  RINGVAULT_PAUSE_SWITCH: json.pipe(pauseSwitchTarget).optional(),
  RINGVAULT_RECOVER_ARN: z.string().min(1).optional(),
});
export type Environment = z.infer<typeof environment>;

/** @throws InvalidConfiguration */
export function parseEnvironment(variables: Record<string, string | undefined>): Environment {
  const parsed = environment.safeParse(variables);
  if (parsed.success) return parsed.data;
  throw new InvalidConfiguration(`the Lambda's environment: ${describeIssues(parsed.error)}`);
}

/** @throws InvalidConfiguration naming the variable that the step needs and was not given */
export function required<Name extends keyof Environment>(
  variables: Environment,
  name: Name,
): NonNullable<Environment[Name]> {
  const value = variables[name];
  if (value !== undefined) return value;
  throw new InvalidConfiguration(`the Lambda's environment: got no ${name}, which this step needs`);
}
