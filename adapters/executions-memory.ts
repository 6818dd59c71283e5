// Executions in memory, for tests: a test sets how each one stands.
import type { ExecutionStatus, Executions } from './ports.ts';

export interface MemoryExecutions extends Executions {
  readonly known: Map<string, ExecutionStatus>;
  readonly started: Array<{ workflow: string; input: unknown; name?: string }>;
}

export function memoryExecutions(): MemoryExecutions {
  const known = new Map<string, ExecutionStatus>();
  const started: MemoryExecutions['started'] = [];
  return {
    known,
    started,
    status: async (executionArn) => known.get(executionArn),
    async start(workflow, input, name) {
      started.push({ workflow, input, ...(name && { name }) });
      const executionArn = `arn:aws:states:eu-west-1:111122223333:execution:${workflow}:${name ?? started.length}`;
      known.set(executionArn, { status: 'RUNNING', startedAt: new Date(0) });
      return { executionArn };
    },
    async stop(executionArn, reason) {
      const startedAt = known.get(executionArn)?.startedAt ?? new Date(0);
      known.set(executionArn, {
        status: 'ABORTED',
        startedAt,
        error: reason.errorName,
        cause: reason.message,
      });
    },
  };
}
