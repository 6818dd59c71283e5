// The machines' names, known before the machines: the steps' roles name executions that the machines' definitions in
// turn name the steps of.
import { ArnFormat, Names, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { type WorkflowName, workflowName } from '../../contracts/runs.ts';

const TITLES = { backup: 'Backup', restore: 'Restore', register: 'Register', recover: 'Recover' } as const;

export class MachineNames {
  private readonly scope: Construct;
  private readonly base: string;

  constructor(scope: Construct) {
    this.scope = scope;
    // A machine's name has at most 80 characters.
    this.base = Names.uniqueResourceName(scope, {
      maxLength: 60,
      separator: '-',
      allowedSpecialCharacters: '-',
    });
  }

  name(workflow: WorkflowName): string {
    return `${this.base}-${TITLES[workflow]}`;
  }

  arn(workflow: WorkflowName): string {
    return this.format('stateMachine', this.name(workflow));
  }

  /** The machines, and the child executions of their Distributed Maps: `stateMachine:<name>/<label>`. */
  taskTokenArns(): string[] {
    return this.all().flatMap((workflow) => [this.arn(workflow), `${this.arn(workflow)}/*`]);
  }

  executionArns(): string[] {
    return this.all().map((workflow) => this.format('execution', `${this.name(workflow)}:*`));
  }

  private all(): readonly WorkflowName[] {
    return workflowName.options;
  }

  private format(resource: string, resourceName: string): string {
    const arnFormat = ArnFormat.COLON_RESOURCE_NAME;
    return Stack.of(this.scope).formatArn({ service: 'states', resource, resourceName, arnFormat });
  }
}
