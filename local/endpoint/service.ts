// What a local stand-in for an AWS service is, independent of HTTP. Services register operations; server.ts verifies the
// caller's signature, routes by signing name, parses by protocol, and hands each operation its caller.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';

/** The local account and region; the example ringvault.yaml names them in its ARNs. */
export const LOCAL_ACCOUNT = '111122223333';
export const LOCAL_REGION = 'eu-west-1';
export const LOCAL_PARTITION = 'aws';

/** Who signed the request. */
export interface Caller {
  /** `arn:aws:sts::…:assumed-role/<role>/<session>`, or `arn:aws:iam::…:user/operator`. */
  arn: string;
  /** The role's ARN; undefined for the operator, who may do everything that no bucket policy denies. */
  roleArn?: string;
  /** For credentials of an instance role: the value of `ec2:SourceInstanceARN`. */
  instanceArn?: string;
}

/** Values of condition keys, by their lower-case names; absent keys are null in `Null` conditions. */
export type ConditionContext = Record<string, string | string[]>;

/** Decides by the synthesized identity policies (and, for S3, the bucket policy). Explicit deny wins; what is not understood is a deny. */
export interface Authorizer {
  decide(
    caller: Caller,
    action: string,
    resource: string,
    conditions?: ConditionContext,
  ): { allowed: boolean; reason: string };
}

export interface CallContext {
  caller: Caller;
  /** @throws ServiceError AccessDeniedException with the reason */
  authorize(action: string, resource: string, conditions?: ConditionContext): void;
}

/** An error as the service's SDK client knows it: `code` is the exception's name. */
export class ServiceError extends Error {
  readonly code: string;
  readonly statusCode: number;
  /** Further fields of the modelled exception. */
  readonly fields: Record<string, unknown>;
  constructor(code: string, message: string, statusCode = 400, fields: Record<string, unknown> = {}) {
    super(message);
    this.name = code;
    this.code = code;
    this.statusCode = statusCode;
    this.fields = fields;
  }
}

/**
 * One API operation. `input` must be strict about what it cannot honour: a field that matters and is not implemented is
 * refused by name; the server turns zod errors into ValidationException.
 */
export interface Operation<Input = unknown> {
  input: z.ZodType<Input>;
  handle(input: Input, context: CallContext): Promise<unknown>;
}

/** JSON 1.0/1.1 with X-Amz-Target: Step Functions, DynamoDB, SSM, EventBridge, Secrets Manager. Dates are epoch seconds. */
export interface JsonService {
  protocol: 'json';
  /** As in the credential scope: states, ssm, events, secretsmanager. */
  signingName: string;
  /** AWSStepFunctions, AmazonSSM, AWSEvents, secretsmanager. */
  targetPrefix: string;
  jsonVersion: '1.0' | '1.1';
  operations: Record<string, Operation<never>>;
}

/** Query protocol, XML answers: SNS, STS, CloudFormation. Results are plain objects; arrays become
 * `<member>` lists, Maps `<entry>` lists, Dates ISO text. Inputs are nested objects of strings (`a.member.1.b`, `a.entry.1.key`
 * become lists). */
export interface QueryService {
  protocol: 'query';
  signingName: string;
  xmlNamespace: string;
  operations: Record<string, Operation<never>>;
}

/**
 * REST-JSON: Lambda, Scheduler. `path` with `{name}` placeholders; they, the query (strings; lists where a name is repeated)
 * and the JSON body are merged into the input.
 */
export interface RestJsonService {
  protocol: 'rest-json';
  signingName: string;
  routes: RestRoute[];
}
export interface RestRoute extends Operation<never> {
  method: string;
  path: string;
  operation: string;
  /** Of a success; 200 where it is not given. */
  statusCode?: number;
  /**
   * The body is no JSON object but the operation's payload (Lambda's Invoke): the input has it as `payload: Buffer`, and
   * `headers` by lower-case names, beside the path's and the query's values.
   */
  rawPayload?: true;
}
/** A handler's answer where it is more than a JSON object. */
export class RestAnswer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer | string;
  constructor(statusCode: number, headers: Record<string, string>, body: Buffer | string) {
    this.statusCode = statusCode;
    this.headers = headers;
    this.body = body;
  }
}

/** Takes requests as they come: S3 (streaming), DynamoDB (handed on). */
export interface RawService {
  protocol: 'raw';
  signingName: string;
  /** `buffered`: the whole body is read and checked against the signature before the service sees it. */
  body: 'buffered' | 'streamed';
  /** Action and resource for faults and the access log, before the request is handled. */
  describe(request: IncomingMessage, body: Buffer): { action: string; resource: string };
  handle(request: IncomingMessage, response: ServerResponse, context: RawContext): Promise<void>;
  /** Errors that came up before or while the request was handled, in the shape that the service's clients know. */
  refuse(request: IncomingMessage, error: ServiceError): RestAnswer;
}
export interface RawContext extends CallContext {
  /** Empty where the service streams. */
  body: Buffer;
}

export type LocalService = JsonService | QueryService | RestJsonService | RawService;

/** Credentials that the endpoint accepts, handed to Lambdas, hosts and people as environment variables. */
export interface IssuedCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}
export interface Identities {
  issue(caller: Caller): IssuedCredentials;
}
