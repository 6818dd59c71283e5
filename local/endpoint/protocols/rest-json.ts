// REST-JSON: the operation is named by method and path. Lambda, Scheduler.

import { plainHeaders } from '../authenticate.ts';
import { RestAnswer, type RestJsonService, type RestRoute } from '../service.ts';
import { splitTarget } from '../sigv4.ts';
import { jsonError } from './json.ts';
import { notImplemented, type Protocol, parseJson, runOperation, toJson } from './protocol.ts';

const CONTENT_TYPE = 'application/json';

export function restJsonProtocol(service: RestJsonService): Protocol {
  return {
    open(request, body) {
      const { path, query } = splitTarget(request.url ?? '/');
      const { route, placeholders } = findRoute(service, request.method ?? 'GET', path);
      return {
        operation: route.operation,
        async run(context) {
          const content = route.rawPayload
            ? { payload: body, headers: plainHeaders(request) }
            : parseJson(body);
          const input = { ...parseQuery(query), ...content, ...placeholders };
          const output = await runOperation(route, input, context);
          if (output instanceof RestAnswer) return output;
          return new RestAnswer(route.statusCode ?? 200, { 'content-type': CONTENT_TYPE }, toJson(output));
        },
      };
    },
    refuse(error) {
      const statusCode = error.code === 'AccessDeniedException' ? 403 : error.statusCode;
      const answer = jsonError(error, CONTENT_TYPE);
      return new RestAnswer(statusCode, answer.headers, answer.body);
    },
  };
}

function findRoute(service: RestJsonService, method: string, path: string) {
  for (const route of service.routes) {
    const placeholders = route.method === method ? matchPath(route, path) : undefined;
    if (placeholders !== undefined) return { route, placeholders };
  }
  throw notImplemented(`${service.signingName}: ${method} ${path}`, 'UnknownOperationException', 404);
}

function matchPath(route: RestRoute, path: string): Record<string, string> | undefined {
  const expected = route.path.split('/');
  const given = path.replace(/(?<=.)\/$/, '').split('/');
  if (expected.length !== given.length) return undefined;
  const placeholders: Record<string, string> = {};
  for (const [index, part] of expected.entries()) {
    const value = decodeURIComponent(given[index] ?? '');
    const name = /^\{(.+)\}$/.exec(part)?.[1];
    if (name === undefined && part !== value) return undefined;
    if (name !== undefined) placeholders[name] = value;
  }
  return placeholders;
}

function parseQuery(query: string): Record<string, string | string[]> {
  const parameters = new URLSearchParams(query);
  const parsed: Record<string, string | string[]> = {};
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name);
    parsed[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return parsed;
}
