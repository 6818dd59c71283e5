// DynamoDB: authorises each call on its tables, answers what DynamoDB Local lacks, and hands everything else on to it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { jsonError, targetOperation } from '../../endpoint/protocols/json.ts';
import { parseJson, toJson } from '../../endpoint/protocols/protocol.ts';
import { type RawContext, type RawService, type RestAnswer, ServiceError } from '../../endpoint/service.ts';
import { requiredPermissions, tableArn, tableName } from './permissions.ts';
import type { TableSettings } from './table-settings.ts';

const TARGET = 'DynamoDB_20120810';
const CONTENT_TYPE = 'application/x-amz-json-1.0';
/** DynamoDB Local's own names in ARNs, and ours. */
const ENGINE_ARN = /arn:aws:dynamodb:ddblocal:000000000000:table\//g;

type Json = Record<string, unknown>;

/** Signed with anything: DynamoDB Local reads the key's name and nothing else. */
const ENGINE_AUTHORIZATION =
  'AWS4-HMAC-SHA256 Credential=ringvault/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00';

export class DynamoDbService implements RawService {
  readonly protocol = 'raw';
  readonly signingName = 'dynamodb';
  readonly body = 'buffered';
  readonly #engineUrl: string;
  readonly #settings: TableSettings;

  constructor(engineUrl: string, settings: TableSettings) {
    this.#engineUrl = engineUrl;
    this.#settings = settings;
  }

  describe(request: IncomingMessage, body: Buffer): { action: string; resource: string } {
    const operation = targetOperation(request, TARGET);
    const [first] = requiredPermissions(operation, parseJson(body));
    return { action: `dynamodb:${operation}`, resource: first?.resource ?? '' };
  }

  async handle(request: IncomingMessage, response: ServerResponse, context: RawContext): Promise<void> {
    const operation = targetOperation(request, TARGET);
    const input = parseJson(context.body);
    for (const { action, resource } of requiredPermissions(operation, input)) {
      context.authorize(action, resource);
    }
    const own = await this.#settings.answer(operation, input, (table) => this.#describeTable(table));
    const answer = own === undefined ? await this.#call(operation, withTableNames(input)) : ok(own);
    response.writeHead(answer.statusCode, { 'content-type': CONTENT_TYPE, ...answer.headers });
    response.end(answer.body);
  }

  refuse(_request: IncomingMessage, error: ServiceError): RestAnswer {
    return jsonError(error, CONTENT_TYPE);
  }

  async #call(
    operation: string,
    input: Json,
  ): Promise<{ statusCode: number; headers: Record<string, string>; body: string }> {
    const answer = await fetch(this.#engineUrl, {
      method: 'POST',
      headers: {
        'content-type': CONTENT_TYPE,
        'x-amz-target': `${TARGET}.${operation}`,
        authorization: ENGINE_AUTHORIZATION,
      },
      body: JSON.stringify(input),
    });
    // The engine's CRC-32 header is left behind: it is of the text before the ARNs were put right.
    const body = (await answer.text()).replaceAll(ENGINE_ARN, tableArn(''));
    return { statusCode: answer.status, headers: {}, body };
  }

  async #describeTable(table: string): Promise<void> {
    const answer = await this.#call('DescribeTable', { TableName: table });
    if (answer.statusCode !== 200) throw engineError(answer);
  }
}

function engineError(answer: { statusCode: number; body: string }): ServiceError {
  const { __type, message, Message } = parseJson(Buffer.from(answer.body));
  const code = String(__type ?? 'InternalServerError').replace(/^.*#/, '');
  return new ServiceError(code, String(message ?? Message ?? ''), answer.statusCode);
}

function ok(output: Json): { statusCode: number; headers: Record<string, string>; body: string } {
  return { statusCode: 200, headers: {}, body: toJson(output) };
}

/** Callers may give a table's ARN where its name is asked for; the engine knows its own ARNs alone. */
function withTableNames(input: Json): Json {
  const text = JSON.stringify(input, (key, value: unknown) =>
    key === 'TableName' && typeof value === 'string' ? tableName(value) : value,
  );
  return JSON.parse(text) as Json;
}
