// JSONata that several states share.
import { STEP_TIMEOUT_SECONDS } from '../../contracts/limits.ts';

/** Wraps an expression for a field of a state. */
export function jsonata(expression: string): string {
  return `{% ${expression} %}`;
}

/** A task's Lambda answered this. */
export const ANSWER = '$states.result.Payload';

/** A state's output that leaves the data as they were: what a run works by is in variables and in the vault. */
export const KEEP_INPUT = jsonata('$states.input');

/** The execution as the claiming steps take it. */
export const EXECUTION = {
  arn: jsonata('$states.context.Execution.Id'),
  startedAt: jsonata('$states.context.Execution.StartTime'),
};

/** What the execution was started with, whatever the states before made of their data. */
export const REQUEST = jsonata('$states.context.Execution.Input');

/** The name of a failure for a Fail state: `States.…` is reserved there. @param name an expression */
export function reportableName(name: string): string {
  return jsonata(`$substring(${name}, 0, 7) = 'States.' ? 'UnexpectedError' : ${name}`);
}

/** Message and hint as a Fail state's Cause, within its 32,768 characters. @param told an expression of a told error */
export function reportableCause(told: string): string {
  return jsonata(`$substring(${told}.message & '\\n' & ${told}.hint, 0, 32000)`);
}

/** What was caught, and in which state. @param error an expression */
export function caught(error = '$states.errorOutput'): string {
  return jsonata(`$merge([${error}, {'Step': $states.context.State.Name}])`);
}

/** A caught error as a told error, for when the step that knows more fails itself. @param error an expression */
export function toldFrom(error: string): string {
  return jsonata(
    `{'errorName': ${error}.Error, 'message': $exists(${error}.Cause) ? ${error}.Cause : '', 'hint': ''}`,
  );
}

/** Until a time of a variable, at least one; as long as a step may take where it is "". @param time an expression */
export function secondsLeft(time: string): string {
  return `${time} = '' ? ${STEP_TIMEOUT_SECONDS} : $max([1, $ceil(($toMillis(${time}) - $millis()) / 1000)])`;
}
