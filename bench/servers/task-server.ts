// Answers the host program's task token as Step Functions would, and keeps what it was told.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

const told = z.looseObject({
  taskToken: z.string(),
  output: z.string().optional(),
  error: z.string().optional(),
  cause: z.string().optional(),
});
type Told = z.infer<typeof told>;

export interface TaskServer {
  url: string;
  /** What an action answered, once its program has ended. @throws what it failed with */
  outputOf(taskToken: string): unknown;
  stop(): Promise<void>;
}

export async function startTaskServer(): Promise<TaskServer> {
  const answers = new Map<string, Told>();
  const server = createServer(async (request, response) => {
    const body = told.parse(JSON.parse(await text(request)));
    if (body.output !== undefined || body.error !== undefined) answers.set(body.taskToken, body);
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end('{}');
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no free port on 127.0.0.1');
  return {
    url: `http://127.0.0.1:${address.port}`,
    outputOf(taskToken) {
      const answer = answers.get(taskToken);
      if (answer?.output === undefined) {
        throw new Error(`action ${taskToken}: ${answer?.error ?? 'no answer'}: ${answer?.cause ?? ''}`);
      }
      return JSON.parse(answer.output);
    },
    async stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
