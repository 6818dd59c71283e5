// The stacks that were deployed, as CloudFormation's API tells of them.

export interface StackResource {
  logicalId: string;
  physicalId: string;
  type: string;
  createdAt: Date;
}

export interface StackRecord {
  name: string;
  id: string;
  description: string | undefined;
  createdAt: Date;
  resources: StackResource[];
  outputs: Record<string, string>;
}

export class StackRecords {
  readonly stacks = new Map<string, StackRecord>();
  /** `Type.Property` of everything that was accepted and has no effect here. */
  readonly recordedOnly = new Set<string>();

  /** @param name name or ID */
  find(name: string): StackRecord | undefined {
    return [...this.stacks.values()].find((each) => each.name === name || each.id === name);
  }
}
