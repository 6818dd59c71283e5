// The state machines that were created, by ARN.
import { ServiceError } from '../endpoint/service.ts';
import { isValidName } from './arns.ts';
import { type Definition, readDefinition } from './definition.ts';
import { checkDefinition } from './definition-checks.ts';
import type { Evaluator } from './evaluator.ts';
import type { StepFunctionsPorts } from './ports.ts';

export interface StateMachine {
  arn: string;
  name: string;
  roleArn: string;
  definition: Definition;
  definitionText: string;
  createdAt: Date;
}

export interface Place {
  partition: string;
  region: string;
  account: string;
}

export class StateMachines {
  readonly #place: Place;
  readonly #ports: Pick<StepFunctionsPorts, 'clock'>;
  readonly #evaluator: Evaluator;
  readonly #byArn = new Map<string, StateMachine>();

  constructor(place: Place, ports: Pick<StepFunctionsPorts, 'clock'>, evaluator: Evaluator) {
    this.#place = place;
    this.#ports = ports;
    this.#evaluator = evaluator;
  }

  /** @param definition JSON text. @throws ServiceError InvalidName, InvalidDefinition, StateMachineAlreadyExists */
  create(request: { name: string; roleArn: string; definition: string }): StateMachine {
    const { name, roleArn, definition: definitionText } = request;
    if (!isValidName(name)) throw new ServiceError('InvalidName', `Invalid Name: ${name}`);
    const arn = this.arnOf(name);
    if (this.#byArn.has(arn)) {
      throw new ServiceError('StateMachineAlreadyExists', `State Machine Already Exists: ${arn}`);
    }
    const definition = readDefinition(definitionText);
    checkDefinition(definition, this.#evaluator);
    const machine = { arn, name, roleArn, definition, definitionText, createdAt: this.#ports.clock.now() };
    this.#byArn.set(arn, machine);
    return machine;
  }

  /** Running executions go on under the definition they began with. False: there was none. */
  delete(arn: string): boolean {
    return this.#byArn.delete(arn);
  }

  /** @throws ServiceError StateMachineDoesNotExist */
  get(arn: string): StateMachine {
    const machine = this.#byArn.get(arn);
    if (!machine)
      throw new ServiceError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
    return machine;
  }

  list(): StateMachine[] {
    return [...this.#byArn.values()];
  }

  arnOf(name: string): string {
    const { partition, region, account } = this.#place;
    return `arn:${partition}:states:${region}:${account}:stateMachine:${name}`;
  }
}
