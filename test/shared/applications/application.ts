// A real gRPC server of rpc.Admin, with an application behind it that a test writes by, and levers for what goes wrong.
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { adminService } from '../../../adapters/admin-protocol.ts';
import type { Application } from '../../../contracts/pause.ts';

type Method = 'Pause' | 'Unpause' | 'CheckPaused';

const ERRORS = {
  refuse: status.INTERNAL,
  /** As a server says that is about to end, or a proxy whose server is away. */
  'be unavailable': status.UNAVAILABLE,
  /** As another process at the same address. */
  'not know': status.UNIMPLEMENTED,
};

export interface RunningApplication extends Required<Application> {
  readonly paused: boolean;
  /** Methods that were called, in order. */
  readonly calls: Method[];
  /** Writes under way after it had said that it was paused. */
  readonly acceptedWhilePaused: number;
  /** What a method does instead of its work: says nothing, or an error. */
  instead: Partial<Record<Method, 'hang' | keyof typeof ERRORS>>;
  /** Called before a method answers. */
  before: Partial<Record<Method, () => void | Promise<void>>>;
  /** Does a write, unless it is paused: then it waits until it is resumed. */
  write(work: () => Promise<void>): Promise<void>;
  /** As an operator would, by another way. */
  resume(): void;
  /** Ends at once, as if it were killed. */
  die(): void;
}

export interface ApplicationOptions {
  /** It has no CheckPaused. */
  old?: boolean;
}

/** @param name the host, as DNS is to give it */
export async function startApplication(
  name: string,
  options: ApplicationOptions = {},
): Promise<RunningApplication> {
  let paused = false;
  let acceptedWhilePaused = 0;
  let underWay = 0;
  let saidPaused = false;
  let changed = Promise.withResolvers<void>();
  const change = (make: () => void) => {
    make();
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const resume = () =>
    change(() => {
      paused = false;
      saidPaused = false;
    });
  const calls: Method[] = [];
  const method =
    (called: Method, work: (request: { waitOutstanding?: boolean }) => Promise<object> | object) =>
    async (call: ServerUnaryCall<object, object>, answer: sendUnaryData<object>) => {
      calls.push(called);
      const instead = running.instead[called];
      if (instead === 'hang') return;
      if (instead) return answer({ code: ERRORS[instead], details: `no ${called} today` });
      const result = await work(call.request);
      await running.before[called]?.();
      answer(null, result);
    };
  const methods: UntypedServiceImplementation = {
    Pause: method('Pause', async ({ waitOutstanding }) => {
      change(() => {
        paused = true;
      });
      while (waitOutstanding && underWay > 0) await changed.promise;
      saidPaused = paused;
      return {};
    }),
    Unpause: method('Unpause', () => {
      resume();
      return {};
    }),
    ...(!options.old && { CheckPaused: method('CheckPaused', () => ({ paused })) }),
  };
  const server = new Server();
  server.addService(adminService as never, methods);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const running: RunningApplication = {
    ...{ name: `${name}:${port}`, address: '127.0.0.1', port, calls, instead: {}, before: {} },
    get paused() {
      return paused;
    },
    get acceptedWhilePaused() {
      return acceptedWhilePaused;
    },
    async write(work) {
      while (paused) await changed.promise;
      underWay += 1;
      try {
        await work();
        if (saidPaused) acceptedWhilePaused += 1;
      } finally {
        change(() => {
          underWay -= 1;
        });
      }
    },
    resume,
    die: () => server.forceShutdown(),
  };
  return running;
}
