// Evaluates JSONata templates: any JSON value, in which strings of the form `{% … %}` are expressions.
import jsonata from 'jsonata';
import { StateFailure } from './failures.ts';

const EXPRESSION = /^\{%([\s\S]*)%\}$/;

/** The text between `{%` and `%}`; undefined where the value is no expression. */
export function expressionIn(value: unknown): string | undefined {
  return typeof value === 'string' ? EXPRESSION.exec(value)?.[1]?.trim() : undefined;
}

/** Against loops without end, which would stop the whole process and not only the execution. */
const guards = { stack: 1000, timeout: 10_000, sequence: 1_000_000 };

export class Evaluator {
  readonly #functions: Record<string, unknown>;
  readonly #compiled = new Map<string, jsonata.Expression>();

  constructor(functions: Record<string, unknown>) {
    this.#functions = functions;
  }

  /** Parsed once and shared: an evaluation keeps its state in a frame of its own. @throws JSONata's syntax error */
  compile(source: string): jsonata.Expression {
    const known = this.#compiled.get(source);
    if (known) return known;
    const compiled = jsonata(source, guards);
    this.#compiled.set(source, compiled);
    return compiled;
  }

  /** @param field the path in the state, for messages. @throws StateFailure States.QueryEvaluationError */
  async evaluate(template: unknown, bindings: Record<string, unknown>, field: string): Promise<unknown> {
    const source = expressionIn(template);
    if (source !== undefined) return this.#evaluateExpression(source, bindings, field);
    if (Array.isArray(template)) {
      const values: unknown[] = [];
      for (const [index, part] of template.entries()) {
        values.push(await this.evaluate(part, bindings, `${field}[${index}]`));
      }
      return values;
    }
    if (typeof template !== 'object' || template === null) return template;
    const entries: Array<[string, unknown]> = [];
    for (const [key, part] of Object.entries(template)) {
      entries.push([key, await this.evaluate(part, bindings, `${field}/${key}`)]);
    }
    return Object.fromEntries(entries);
  }

  async #evaluateExpression(source: string, bindings: Record<string, unknown>, field: string) {
    const failed = (why: string) =>
      new StateFailure(
        'States.QueryEvaluationError',
        `The JSONata expression '${source}' specified for the field '${field}' ${why}`,
      );
    let value: unknown;
    try {
      value = await this.compile(source).evaluate(undefined, { ...this.#functions, ...bindings });
    } catch (error) {
      throw failed(`threw an error during evaluation. ${describeError(error)}`);
    }
    if (typeof value === 'function' || isJsonataFunction(value)) throw failed('returned a function.');
    if (value === undefined) throw failed('returned nothing (undefined).');
    // Through JSON, so that sequences lose their marks and nothing is shared with the input.
    return JSON.parse(JSON.stringify(value));
  }
}

function isJsonataFunction(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    ('_jsonata_function' in value || '_jsonata_lambda' in value)
  );
}

function describeError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const code = 'code' in error ? `${error.code}: ` : '';
  const message = 'message' in error ? String(error.message) : JSON.stringify(error);
  return `${code}${message}`;
}
