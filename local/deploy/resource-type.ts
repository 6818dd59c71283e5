// One resource type: which properties it honours, which it only records, and how one is created.
import { z } from 'zod';
import type { FileAsset } from './cloud-assembly.ts';
import type { Platform } from './platform.ts';

export interface Creation {
  platform: Platform;
  logicalId: string;
  stackName: string;
  region: string;
  account: string;
  partition: string;
  /** As CloudFormation names what is not named: stack, logical ID and a suffix. */
  physicalName(maxLength: number): string;
  /** `arn:<partition>:<service>:<region>:<account>:<resource>` */
  arn(service: string, resource: string): string;
  /** @throws DeploymentRefused where the assembly has no such asset */
  asset(objectKey: string): FileAsset;
}

/** `id` is what Ref gives, `attributes` what Fn::GetAtt gives. */
export interface Created {
  id: string;
  attributes?: Record<string, unknown>;
}

export interface ResourceType {
  properties: z.ZodType<Record<string, unknown>>;
  /** Properties that may be there with any value and have no effect on this machine. */
  recorded: readonly string[];
  create(properties: Record<string, unknown>, creation: Creation): Promise<Created>;
}

/**
 * @param shape properties that are honoured; `strict` in what they hold
 * @param recorded properties that are recorded and not enforced; any other is refused by name
 */
export function resourceType<Shape extends z.ZodRawShape>(
  shape: Shape,
  recorded: readonly string[],
  create: (properties: z.infer<z.ZodObject<Shape, z.core.$strict>>, creation: Creation) => Promise<Created>,
): ResourceType {
  const unenforced = Object.fromEntries(recorded.map((name) => [name, z.unknown().optional()]));
  const properties = z.strictObject({ ...unenforced, ...shape });
  return {
    properties: properties as unknown as z.ZodType<Record<string, unknown>>,
    recorded,
    create: create as unknown as ResourceType['create'],
  };
}
