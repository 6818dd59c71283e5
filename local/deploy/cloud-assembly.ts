// Reads a cdk.out directory: its stacks, and each stack's file assets.
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { describeIssues } from '../../contracts/documents.ts';
import { DeploymentRefused } from './errors.ts';
import { assemblyManifest, assetManifest, type Template, template } from './template.ts';

export interface FileAsset {
  /** A file, or the directory that CDK would zip. */
  path: string;
  packaging: 'file' | 'zip';
  /** With `${AWS::AccountId}` and `${AWS::Region}` still in it. */
  bucketName: string;
  objectKey: string;
}
export interface SynthesizedStack {
  name: string;
  template: Template;
  assets: FileAsset[];
}

/** @throws DeploymentRefused where a file is missing or not as CDK writes it */
export async function readCloudAssembly(directory: string): Promise<SynthesizedStack[]> {
  const manifest = await readJson(join(directory, 'manifest.json'), assemblyManifest);
  const stacks: SynthesizedStack[] = [];
  for (const [name, artifact] of Object.entries(manifest.artifacts)) {
    if (artifact.type !== 'aws:cloudformation:stack') continue;
    const templateFile = artifact.properties?.templateFile;
    if (!templateFile)
      throw new DeploymentRefused(`${name} in ${directory}/manifest.json names no templateFile`);
    stacks.push({
      name,
      template: await readJson(join(directory, templateFile), template),
      assets: await readAssets(directory, manifest.artifacts[`${name}.assets`]?.properties?.file),
    });
  }
  return stacks;
}

async function readAssets(directory: string, file: string | undefined): Promise<FileAsset[]> {
  if (!file) return [];
  const { files, dockerImages } = await readJson(join(directory, file), assetManifest);
  const [image] = Object.keys(dockerImages);
  if (image) throw new DeploymentRefused(`${file} has the Docker image ${image}, expected file assets only`);
  return Object.values(files).flatMap(({ source, destinations }) =>
    Object.values(destinations).map(({ bucketName, objectKey }) => ({
      path: resolve(directory, source.path),
      packaging: source.packaging,
      bucketName,
      objectKey,
    })),
  );
}

async function readJson<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.infer<Schema>> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new DeploymentRefused(`${path} cannot be read, expected what cdk synth writes`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new DeploymentRefused(`${path}: ${describeIssues(parsed.error)}`);
  return parsed.data;
}
