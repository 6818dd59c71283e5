// The query protocol: form parameters in, XML out. SNS, STS, CloudFormation.
import { type QueryService, RestAnswer, type ServiceError } from '../service.ts';
import { notImplemented, type Protocol, runOperation } from './protocol.ts';
import { element, xmlOf } from './xml.ts';

const CONTENT_TYPE = { 'content-type': 'text/xml' };

export function queryProtocol(service: QueryService): Protocol {
  return {
    open(_request, body) {
      const { Action: name = '', Version: _version, ...parameters } = parseForm(body.toString('utf8'));
      const operation = typeof name === 'string' ? service.operations[name] : undefined;
      if (operation === undefined) throw notImplemented(`${service.signingName}:${name}`, 'InvalidAction');
      return {
        operation: String(name),
        async run(context) {
          const output = await runOperation(operation, parameters, context);
          return new RestAnswer(200, CONTENT_TYPE, answerXml(service.xmlNamespace, String(name), output));
        },
      };
    },
    refuse: (error) => queryError(service, error),
  };
}

function answerXml(namespace: string, name: string, output: unknown): string {
  const result = element(`${name}Result`, xmlOf(output ?? {}));
  const metadata = element('ResponseMetadata', element('RequestId', 'local'));
  return `<${name}Response xmlns="${namespace}">${result}${metadata}</${name}Response>`;
}

/** These services have names of their own for what JSON services call by longer ones. */
const codes: Record<string, string> = {
  AccessDeniedException: 'AccessDenied',
  UnrecognizedClientException: 'InvalidClientTokenId',
  InvalidToken: 'InvalidClientTokenId',
  ExpiredTokenException: 'ExpiredToken',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  ValidationException: 'ValidationError',
};

function queryError(service: QueryService, error: ServiceError): RestAnswer {
  const isSnsDenial = service.signingName === 'sns' && error.code === 'AccessDeniedException';
  const code = isSnsDenial ? 'AuthorizationError' : (codes[error.code] ?? error.code);
  const statusCode = code === 'AccessDenied' || code === 'AuthorizationError' ? 403 : error.statusCode;
  const type = statusCode >= 500 ? 'Receiver' : 'Sender';
  const told = xmlOf({ Type: type, Code: code, Message: error.message, ...error.fields });
  const body = `<ErrorResponse xmlns="${service.xmlNamespace}">${element('Error', told)}<RequestId>local</RequestId></ErrorResponse>`;
  return new RestAnswer(statusCode, CONTENT_TYPE, body);
}

type Tree = { [name: string]: Tree | string };
type FormValue = string | FormValue[] | { [name: string]: FormValue };

/** `Tags.member.1.Key=a` → `{ Tags: [{ Key: 'a' }] }`. */
function parseForm(form: string): Record<string, FormValue> {
  const tree: Tree = Object.create(null);
  for (const [name, value] of new URLSearchParams(form)) {
    const path = name.split('.');
    let at = tree;
    for (const part of path.slice(0, -1)) {
      const next = at[part];
      const inner: Tree = typeof next === 'object' ? next : Object.create(null);
      at[part] = inner;
      at = inner;
    }
    at[path.at(-1) ?? ''] = value;
  }
  const parsed: Record<string, FormValue> = {};
  for (const [name, value] of Object.entries(tree)) parsed[name] = collapse(value);
  return parsed;
}

function collapse(node: Tree | string): FormValue {
  if (typeof node === 'string') return node;
  const list = node['member'] ?? node['entry'];
  if (typeof list === 'object' && Object.keys(node).length === 1) {
    return Object.entries(list)
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([, item]) => collapse(item));
  }
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, collapse(value)]));
}
