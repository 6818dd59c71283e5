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
  /** The last update, if there was one. */
  revision?: Revision;
}

interface Revision {
  id: string;
  madeAt: Date;
}

export interface Place {
  partition: string;
  region: string;
  account: string;
}

export class StateMachines {
  readonly #place: Place;
  readonly #ports: Pick<StepFunctionsPorts, 'clock' | 'newId'>;
  readonly #evaluator: Evaluator;
  readonly #byArn = new Map<string, StateMachine>();

  constructor(place: Place, ports: Pick<StepFunctionsPorts, 'clock' | 'newId'>, evaluator: Evaluator) {
    this.#place = place;
    this.#ports = ports;
    this.#evaluator = evaluator;
  }

  /** @param definition JSON text. @throws ServiceError InvalidName, InvalidDefinition, StateMachineAlreadyExists */
  create(request: { name: string; roleArn: string; definition: string }): StateMachine {
    const { name, roleArn, definition: definitionText } = request;
    if (!isValidName(name)) throw new ServiceError('InvalidName', `Invalid Name: '${name}'`);
    const arn = this.arnOf(name);
    if (this.#byArn.has(arn)) {
      throw new ServiceError('StateMachineAlreadyExists', `State Machine Already Exists: '${arn}'`);
    }
    const definition = this.read(definitionText);
    const machine = { arn, name, roleArn, definition, definitionText, createdAt: this.#ports.clock.now() };
    this.#byArn.set(arn, machine);
    return machine;
  }

  /** The machine of this name, if it has this very definition: what a repeated create answers, whatever its role. */
  sameAs(request: { name: string; definition: string }): StateMachine | undefined {
    const known = this.#byArn.get(this.arnOf(request.name));
    return known?.definitionText === request.definition ? known : undefined;
  }

  /** Running executions go on as they began. @throws ServiceError StateMachineDoesNotExist, InvalidDefinition */
  update(
    arn: string,
    change: { roleArn?: string; definition?: string },
  ): StateMachine & { revision: Revision } {
    const before = this.get(arn);
    const definitionText = change.definition ?? before.definitionText;
    const after = {
      ...before,
      roleArn: change.roleArn ?? before.roleArn,
      definition: this.read(definitionText),
      definitionText,
      revision: { id: this.#ports.newId(), madeAt: this.#ports.clock.now() },
    };
    this.#byArn.set(arn, after);
    return after;
  }

  /** Nothing is started by it any more. */
  delete(arn: string): void {
    this.#byArn.delete(arn);
  }

  /** @throws InvalidDefinition */
  read(definitionText: string): Definition {
    const definition = readDefinition(definitionText);
    checkDefinition(definition, this.#evaluator);
    return definition;
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
