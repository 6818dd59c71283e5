// Answers for data keys as KMS would: those that it made it knows again.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

/** As long as those that KMS wraps. */
const WRAPPED_BYTES = 184;
const asked = z.looseObject({ KeyId: z.string().optional(), CiphertextBlob: z.string().optional() });

export interface KmsServer {
  url: string;
  stop(): void;
}

export async function startKmsServer(): Promise<KmsServer> {
  const plaintexts = new Map<string, string>();
  const server = createServer(async (request, response) => {
    const { KeyId, CiphertextBlob = randomBytes(WRAPPED_BYTES).toString('base64') } = asked.parse(
      JSON.parse(await text(request)),
    );
    const Plaintext = plaintexts.get(CiphertextBlob) ?? randomBytes(32).toString('base64');
    plaintexts.set(CiphertextBlob, Plaintext);
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify({ KeyId, CiphertextBlob, Plaintext }));
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
