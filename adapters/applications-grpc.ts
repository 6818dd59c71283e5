// Pauses, resumes and asks applications over gRPC. In the Lambda inside their VPC alone: it calls nothing of AWS.
import {
  type ChannelCredentials,
  Client,
  connectivityState,
  credentials,
  Metadata,
  status,
} from '@grpc/grpc-js';
import type { Application, ApplicationAnswer, ApplicationsRequest, GrpcHook } from '../contracts/pause.ts';
import { adminService } from './admin-protocol.ts';
import { findApplications } from './applications-dns.ts';
import type { Applications, Clock } from './ports.ts';

const ANSWER_WITHIN_MS = 5_000;
/** For an application to say itself that it could not pause in time. */
const ANSWER_GRACE_MS = 1_000;

type Hook = ApplicationsRequest['hook'];
type Said = Pick<ApplicationAnswer, 'answer' | 'message'>;
type Call = Exclude<ApplicationsRequest['call'], 'discover'>;

/** All at once. @throws ApplicationsUnknown where they are to be found and cannot be */
export async function askApplications(
  request: ApplicationsRequest,
  grpc: GrpcHook,
  clock: Clock,
): ReturnType<Applications['ask']> {
  if (request.call === 'discover') return { found: await findApplications(grpc), away: [], answers: [] };
  const { call, hook, applications } = request;
  const answers = await Promise.all(
    applications.map(async (application) => {
      const said = await say(call, hook, connectTo(application, grpc));
      return { application, ...said, answeredAt: clock.now().toISOString() };
    }),
  );
  return { found: [], away: [], answers };
}

/** Never rejects: what an application does not answer is an answer, too. */
async function say(call: Call, hook: Hook, client: Client): Promise<Said> {
  try {
    return await calls[call](client, hook);
  } catch (error) {
    return { answer: answerOf(error, client), message: messageOf(error) };
  } finally {
    client.close();
  }
}

const calls: Record<Call, (client: Client, hook: Hook) => Promise<Said>> = {
  async pause(client, { waitOutstanding, waitSeconds }) {
    const maxPauseWaitTime = waitSeconds * 1_000;
    const withinMs = maxPauseWaitTime + ANSWER_GRACE_MS;
    await unary(client, 'Pause', { waitOutstanding, maxPauseWaitTime }, withinMs);
    return { answer: 'done' };
  },
  async check(client) {
    const { paused } = await unary(client, 'CheckPaused', {}, ANSWER_WITHIN_MS);
    return { answer: paused ? 'paused' : 'running' };
  },
  /** One that refuses because it runs already has what was wanted. */
  async resume(client, hook) {
    try {
      await unary(client, 'Unpause', {}, ANSWER_WITHIN_MS);
      return { answer: 'done' };
    } catch (refused) {
      if (answerOf(refused, client) !== 'refused') throw refused;
      const { answer } = await calls.check(client, hook).catch(() => ({ answer: undefined }));
      if (answer === 'running') return { answer: 'done' };
      throw refused;
    }
  },
};

function connectTo({ name, address, port }: Application, { tls }: GrpcHook): Client {
  const serverName = tls?.serverName ?? name.slice(0, name.lastIndexOf(':'));
  return new Client(
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
    credentialsOf(tls),
    {
      'grpc.enable_http_proxy': 0,
      'grpc.enable_retries': 0,
      ...(tls && { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }),
    },
  );
}

function credentialsOf(tls: GrpcHook['tls']): ChannelCredentials {
  if (!tls) return credentials.createInsecure();
  return credentials.createSsl(tls.caCertificate === undefined ? null : Buffer.from(tls.caCertificate));
}

type Methods = typeof adminService;

function unary<Name extends keyof Methods>(
  client: Client,
  name: Name,
  input: Parameters<Methods[Name]['requestSerialize']>[0],
  withinMs: number,
): Promise<ReturnType<Methods[Name]['responseDeserialize']>> {
  const { path, requestSerialize, responseDeserialize } = adminService[name];
  const serialize = requestSerialize as (value: typeof input) => Buffer;
  const deserialize = responseDeserialize as (
    bytes: Buffer,
  ) => ReturnType<Methods[Name]['responseDeserialize']>;
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + withinMs };
    client.makeUnaryRequest(path, serialize, deserialize, input, new Metadata(), options, (error, answer) =>
      error || !answer ? reject(error ?? new Error('got no answer')) : resolve(answer),
    );
  });
}

function answerOf(error: unknown, client: Client): Said['answer'] {
  switch ((error as { code?: unknown }).code) {
    case status.UNIMPLEMENTED:
      return 'unsupported';
    // A server or proxy answers it, too.
    case status.UNAVAILABLE:
      return isConnected(client) ? 'refused' : 'unreachable';
    // Where packets are dropped, no connection comes about in that time.
    case status.DEADLINE_EXCEEDED:
      return isConnected(client) ? 'silent' : 'unreachable';
    default:
      return 'refused';
  }
}

function isConnected(client: Client): boolean {
  return client.getChannel().getConnectivityState(false) === connectivityState.READY;
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 1_000);
}
