// Deploys one stack of a cloud assembly: parameters, conditions, then its resources in order, then its outputs.
import { createHash } from 'node:crypto';
import { describeIssues } from '../../contracts/documents.ts';
import { LOCAL_ACCOUNT, LOCAL_PARTITION, LOCAL_REGION } from '../endpoint/service.ts';
import { uploadAssets } from './assets.ts';
import type { SynthesizedStack } from './cloud-assembly.ts';
import { DeploymentRefused } from './errors.ts';
import { resolveCondition, resolveValue, type Scope } from './intrinsics.ts';
import { creationOrder } from './order.ts';
import type { Platform } from './platform.ts';
import type { Created, Creation } from './resource-type.ts';
import { resourceTypes } from './resources/resource-types.ts';
import type { StackRecord } from './stack-records.ts';
import type { TemplateResource } from './template.ts';

/** @throws DeploymentRefused naming the stack, the resource and the property */
export async function deployStack(stack: SynthesizedStack, platform: Platform): Promise<StackRecord> {
  if (platform.stacks.find(stack.name))
    throw new DeploymentRefused(`the stack ${stack.name} is deployed already`);
  const deployment = new StackDeployment(stack, platform);
  await deployment.uploadAssets();
  await deployment.createResources();
  const record = deployment.finish();
  platform.stacks.stacks.set(record.name, record);
  return record;
}

class StackDeployment {
  readonly #stack: SynthesizedStack;
  readonly #platform: Platform;
  readonly #record: StackRecord;
  readonly #created = new Map<string, Created>();
  readonly #scope: Scope;

  constructor(stack: SynthesizedStack, platform: Platform) {
    this.#stack = stack;
    this.#platform = platform;
    this.#record = {
      name: stack.name,
      id: `arn:${LOCAL_PARTITION}:cloudformation:${LOCAL_REGION}:${LOCAL_ACCOUNT}:stack/${stack.name}/${suffix(stack.name)}`,
      description: stack.template.Description,
      createdAt: new Date(),
      resources: [],
      outputs: {},
    };
    this.#scope = this.#newScope();
  }

  async uploadAssets(): Promise<void> {
    const resolveName = (name: string) => String(resolveValue(this.#scope, { 'Fn::Sub': name }, 'assets'));
    await uploadAssets(this.#stack.assets, this.#platform.s3, resolveName);
  }

  async createResources(): Promise<void> {
    const { Resources } = this.#stack.template;
    const wanted = Object.fromEntries(
      Object.entries(Resources).filter(([, { Condition }]) => !Condition || this.#scope.condition(Condition)),
    );
    for (const logicalId of creationOrder(wanted)) {
      const resource = wanted[logicalId];
      if (resource) await this.#create(logicalId, resource);
    }
  }

  finish(): StackRecord {
    for (const [name, { Value, Condition }] of Object.entries(this.#stack.template.Outputs)) {
      if (Condition && !this.#scope.condition(Condition)) continue;
      this.#record.outputs[name] = String(resolveValue(this.#scope, Value, `Outputs.${name}`));
    }
    return this.#record;
  }

  async #create(logicalId: string, resource: TemplateResource): Promise<void> {
    const what = `${this.#stack.name}/${logicalId} (${resource.Type})`;
    const type = resourceTypes[resource.Type];
    if (!type) throw new DeploymentRefused(`${what}: the local cloud does not implement this resource type`);
    const resolved = resolveValue(this.#scope, resource.Properties, logicalId);
    const parsed = type.properties.safeParse(resolved);
    if (!parsed.success) throw new DeploymentRefused(`${what}: ${describeIssues(parsed.error)}`);
    for (const name of type.recorded.filter((each) => each in resource.Properties)) {
      this.#platform.stacks.recordedOnly.add(`${resource.Type}.${name}`);
    }
    let created: Created;
    try {
      created = await type.create(parsed.data, this.#creation(logicalId));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new DeploymentRefused(`${what}: ${why}`, { cause });
    }
    this.#created.set(logicalId, created);
    this.#record.resources.push({
      logicalId,
      physicalId: created.id,
      type: resource.Type,
      createdAt: new Date(),
    });
  }

  #creation(logicalId: string): Creation {
    const stackName = this.#stack.name;
    return {
      platform: this.#platform,
      logicalId,
      stackName,
      region: LOCAL_REGION,
      account: LOCAL_ACCOUNT,
      partition: LOCAL_PARTITION,
      physicalName(maxLength) {
        const end = `-${suffix(stackName, logicalId).slice(0, 12)}`;
        return `${stackName}-${logicalId}`.slice(0, maxLength - end.length) + end;
      },
      arn: (service, resource) =>
        `arn:${LOCAL_PARTITION}:${service}:${LOCAL_REGION}:${LOCAL_ACCOUNT}:${resource}`,
      asset: (objectKey) => {
        const found = this.#stack.assets.find((each) => each.objectKey === objectKey);
        if (!found) throw new DeploymentRefused(`the cloud assembly has no asset ${objectKey}`);
        return found;
      },
    };
  }

  #newScope(): Scope {
    const { template } = this.#stack;
    const pseudo = new Map<string, string>([
      ['AWS::Region', LOCAL_REGION],
      ['AWS::AccountId', LOCAL_ACCOUNT],
      ['AWS::Partition', LOCAL_PARTITION],
      ['AWS::URLSuffix', 'amazonaws.com'],
      ['AWS::StackName', this.#stack.name],
      ['AWS::StackId', this.#record.id],
    ]);
    for (const [name, { Default }] of Object.entries(template.Parameters)) {
      if (Default !== undefined) pseudo.set(name, String(Default));
    }
    const scope: Scope = {
      ref: (name) => {
        const value = pseudo.get(name) ?? this.#created.get(name)?.id;
        if (value === undefined)
          throw new DeploymentRefused(`Ref ${name}: there is no such parameter or resource`);
        return value;
      },
      attribute: (logicalId, attribute) => {
        const value = this.#created.get(logicalId)?.attributes?.[attribute];
        if (value === undefined) {
          throw new DeploymentRefused(
            `Fn::GetAtt ${logicalId}.${attribute}: the local cloud has no such attribute`,
          );
        }
        return value;
      },
      condition: (name) => {
        const condition = template.Conditions[name];
        if (condition === undefined) throw new DeploymentRefused(`there is no condition ${name}`);
        return resolveCondition(scope, condition, `Conditions.${name}`);
      },
      mapping: (map, top, second) => {
        const value = template.Mappings[map]?.[top]?.[second];
        if (value === undefined)
          throw new DeploymentRefused(`Fn::FindInMap: there is no ${map}.${top}.${second}`);
        return value;
      },
    };
    return scope;
  }
}

/** The same for the same stack and resource, so that names stay when an instance starts anew. */
function suffix(...parts: string[]): string {
  return createHash('sha256').update(parts.join('/')).digest('hex');
}
