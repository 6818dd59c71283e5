// The local Step Functions: what local/ wires to its endpoint, its deployer and its event rules.
import type { JsonService } from '../endpoint/service.ts';
import { type ExecutionStatusChange, statusChange } from './answers.ts';
import { Evaluator } from './evaluator.ts';
import { Executions } from './executions.ts';
import { stepFunctionsFunctions } from './jsonata-functions.ts';
import type { StepFunctionsPorts } from './ports.ts';
import { statesService } from './service.ts';
import { type Place, StateMachines } from './state-machines.ts';

export interface StepFunctions {
  /** For the endpoint. */
  readonly service: JsonService;
  /**
   * For the deployer; `definition` is JSON text. Returns the ARN.
   * @throws ServiceError InvalidName, InvalidDefinition (naming all that is not implemented), StateMachineAlreadyExists
   */
  create(machine: { name: string; roleArn: string; definition: string }): string;
  /** The ARN that a machine of this name has, or will have. */
  arnOf(name: string): string;
  /** For schedules and rules, whose own leave is checked by them. @throws ServiceError as StartExecution */
  start(stateMachineArn: string, request: { name?: string; input: string }): { executionArn: string };
  /** Each start and each end, but for a Distributed Map's children. Must not throw. Returns how to stop listening. */
  onExecutionStatusChange(listener: (change: ExecutionStatusChange) => void): () => void;
  /** Ends everything; fulfilled when nothing runs. */
  close(): Promise<void>;
}

/** State is kept in memory alone. */
export function createStepFunctions(place: Place, ports: StepFunctionsPorts): StepFunctions {
  const evaluator = new Evaluator(stepFunctionsFunctions(ports));
  const machines = new StateMachines(place, ports, evaluator);
  const executions = new Executions(ports, evaluator, machines);
  return {
    service: statesService(executions, machines),
    create: (machine) => machines.create(machine).arn,
    arnOf: (name) => machines.arnOf(name),
    start: (stateMachineArn, request) => ({
      executionArn: executions.start(stateMachineArn, request).plan.arn,
    }),
    onExecutionStatusChange: (listener) =>
      executions.onStatusChange((execution) => listener(statusChange(execution))),
    close: () => executions.close(),
  };
}
