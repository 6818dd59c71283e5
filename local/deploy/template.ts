// Shapes of a cloud assembly as `cdk synth` writes it: manifest, template, asset manifest. Read here and nowhere else.
import { z } from 'zod';

export const templateResource = z.strictObject({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DependsOn: z
    .union([z.string(), z.array(z.string())])
    .default([])
    .transform((names) => (typeof names === 'string' ? [names] : names)),
  Condition: z.string().optional(),
  /** Not honoured, and needs no honouring: nothing is ever updated or deleted here. */
  DeletionPolicy: z.string().optional(),
  UpdateReplacePolicy: z.string().optional(),
  Metadata: z.record(z.string(), z.unknown()).optional(),
});
export type TemplateResource = z.infer<typeof templateResource>;

const parameter = z.looseObject({
  Type: z.string(),
  Default: z.union([z.string(), z.number()]).optional(),
});

export const template = z.strictObject({
  AWSTemplateFormatVersion: z.string().optional(),
  Description: z.string().optional(),
  Metadata: z.record(z.string(), z.unknown()).optional(),
  Parameters: z.record(z.string(), parameter).default({}),
  Mappings: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))).default({}),
  Conditions: z.record(z.string(), z.unknown()).default({}),
  /** CDK's check of the bootstrap version: there is no bootstrap stack here. */
  Rules: z.strictObject({ CheckBootstrapVersion: z.unknown() }).optional(),
  Resources: z.record(z.string(), templateResource),
  Outputs: z
    .record(z.string(), z.looseObject({ Value: z.unknown(), Condition: z.string().optional() }))
    .default({}),
});
export type Template = z.infer<typeof template>;

const destinations = z.record(z.string(), z.looseObject({ bucketName: z.string(), objectKey: z.string() }));

export const assetManifest = z.looseObject({
  files: z
    .record(
      z.string(),
      z.looseObject({
        source: z.strictObject({ path: z.string(), packaging: z.enum(['file', 'zip']) }),
        destinations,
      }),
    )
    .default({}),
  dockerImages: z.record(z.string(), z.unknown()).default({}),
});

export const assemblyManifest = z.looseObject({
  artifacts: z.record(
    z.string(),
    z.looseObject({
      type: z.string(),
      properties: z
        .looseObject({ templateFile: z.string().optional(), file: z.string().optional() })
        .optional(),
      displayName: z.string().optional(),
    }),
  ),
});
