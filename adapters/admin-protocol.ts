// The gRPC service `rpc.Admin`, by which applications are paused. Field by field:
//   service Admin { Pause(PauseRequest), Unpause(Empty) → Empty; CheckPaused(Empty) → CheckPausedResponse { bool paused = 1 } }
//   PauseRequest { bool wait_outstanding = 1; optional int64 max_pause_wait_time = 2 (ms) }
import { fromJSON, type MessageTypeDefinition, type MethodDefinition } from '@grpc/proto-loader';

interface PauseRequest {
  waitOutstanding: boolean;
  /** Milliseconds. */
  maxPauseWaitTime: number;
}
type Empty = Record<string, never>;
type Method<Input extends object, Output extends object> = MethodDefinition<Input, Output> & {
  requestType: MessageTypeDefinition<Input, Input>;
};

interface AdminService {
  Pause: Method<PauseRequest, Empty>;
  Unpause: Method<Empty, Empty>;
  CheckPaused: Method<Empty, { paused: boolean }>;
}

const empty = '.google.protobuf.Empty';
const comment = '';

/** As grpc-js takes it, for a client's calls as for a server's handlers. */
export const adminService = fromJSON(
  {
    nested: {
      google: { nested: { protobuf: { nested: { Empty: { fields: {} } } } } },
      rpc: {
        nested: {
          Admin: {
            methods: {
              Pause: { requestType: 'PauseRequest', responseType: empty, comment },
              Unpause: { requestType: empty, responseType: empty, comment },
              CheckPaused: { requestType: empty, responseType: 'CheckPausedResponse', comment },
            },
          },
          PauseRequest: {
            oneofs: { _maxPauseWaitTime: { oneof: ['maxPauseWaitTime'] } },
            fields: {
              waitOutstanding: { type: 'bool', id: 1 },
              maxPauseWaitTime: { type: 'int64', id: 2, options: { proto3_optional: true } },
            },
          },
          CheckPausedResponse: { fields: { paused: { type: 'bool', id: 1 } } },
        },
      },
    },
  },
  { defaults: true, longs: Number },
)['rpc.Admin'] as unknown as AdminService;
