// AWS JSON 1.0 and 1.1: the operation is named by X-Amz-Target.
import type { IncomingMessage } from 'node:http';
import { type JsonService, RestAnswer, type ServiceError } from '../service.ts';
import { notImplemented, type Protocol, parseJson, runOperation, toJson } from './protocol.ts';

export function jsonProtocol(service: JsonService): Protocol {
  const contentType = `application/x-amz-json-${service.jsonVersion}`;
  return {
    open(request, body) {
      const name = targetOperation(request, service.targetPrefix);
      const operation = service.operations[name];
      if (operation === undefined) throw notImplemented(`${service.signingName}:${name}`);
      return {
        operation: name,
        async run(context) {
          const output = await runOperation(operation, parseJson(body), context);
          return new RestAnswer(200, { 'content-type': contentType }, toJson(output));
        },
      };
    },
    refuse: (error) => jsonError(error, contentType),
  };
}

/** The shape that JSON clients take an exception's class, message and fields from. */
export function jsonError(error: ServiceError, contentType: string): RestAnswer {
  return new RestAnswer(
    error.statusCode,
    { 'content-type': contentType, 'x-amzn-errortype': error.code },
    toJson({ __type: error.code, message: error.message, ...error.fields }),
  );
}

/** @throws ServiceError UnknownOperationException */
export function targetOperation(request: IncomingMessage, targetPrefix: string): string {
  const target = request.headersDistinct['x-amz-target']?.[0] ?? '';
  if (!target.startsWith(`${targetPrefix}.`)) throw notImplemented(`X-Amz-Target "${target}"`);
  return target.slice(targetPrefix.length + 1);
}
