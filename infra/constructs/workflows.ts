// The state machines, with their logs and their rights.
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import {
  DefinitionBody,
  type IChainable,
  LogLevel,
  QueryLanguage,
  StateMachine,
} from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { MACHINE_TIMEOUT_SECONDS } from '../../contracts/limits.ts';
import type { WorkflowName } from '../../contracts/runs.ts';
import { backupWorkflow } from '../workflows/backup.ts';
import { recoverWorkflow } from '../workflows/recover.ts';
import { registerWorkflow } from '../workflows/register.ts';
import { restoreWorkflow } from '../workflows/restore.ts';
import type { WorkflowParts } from '../workflows/states.ts';
import type { MachineNames } from './machine-names.ts';

export interface WorkflowsProps extends WorkflowParts {
  machines: MachineNames;
}

export class Workflows extends Construct {
  readonly recover: StateMachine;
  readonly backup: StateMachine;
  readonly restore: StateMachine;
  readonly register: StateMachine;

  constructor(scope: Construct, id: string, props: WorkflowsProps) {
    super(scope, id);
    const { machines } = props;
    this.recover = machine(new Construct(this, 'Recover'), machines, 'recover', (room) =>
      recoverWorkflow(room, props),
    );
    this.backup = machine(new Construct(this, 'Backup'), machines, 'backup', (room) =>
      backupWorkflow(room, props, this.recover),
    );
    this.restore = machine(new Construct(this, 'Restore'), machines, 'restore', (room) =>
      restoreWorkflow(room, props, this.recover),
    );
    this.register = machine(new Construct(this, 'Register'), machines, 'register', (room) =>
      registerWorkflow(room, props, this.recover),
    );
  }
}

/** @param room holds the states, so that the same step may be a state of several machines */
function machine(
  room: Construct,
  machines: MachineNames,
  workflow: WorkflowName,
  procedure: (room: Construct) => IChainable,
): StateMachine {
  const logGroup = new LogGroup(room, 'Logs', {
    retention: RetentionDays.THREE_MONTHS,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  return new StateMachine(room, 'Machine', {
    stateMachineName: machines.name(workflow),
    queryLanguage: QueryLanguage.JSONATA,
    definitionBody: DefinitionBody.fromChainable(procedure(room)),
    timeout: Duration.seconds(MACHINE_TIMEOUT_SECONDS),
    tracingEnabled: true,
    // Without the data, in which there are task tokens.
    logs: { destination: logGroup, level: LogLevel.ALL, includeExecutionData: false },
  });
}
