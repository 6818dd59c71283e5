// An endpoint with chosen services and one fake S3, for tests of services that need no more.

import { Faults } from '../../../local/endpoint/faults.ts';
import { CredentialRegistry, OPERATOR } from '../../../local/endpoint/identities.ts';
import { EndpointServer } from '../../../local/endpoint/server.ts';
import type { Authorizer, IssuedCredentials, LocalService } from '../../../local/endpoint/service.ts';

export interface SmallCloud {
  endpointUrl: string;
  operator: IssuedCredentials;
  /** For AWS SDK clients, as the operator. */
  clientOptions: { endpoint: string; region: string; credentials: IssuedCredentials };
  register(service: LocalService): void;
  close(): Promise<void>;
}

export async function startSmallCloud(authorizer: Authorizer): Promise<SmallCloud> {
  const identities = new CredentialRegistry();
  const server = new EndpointServer({
    identities,
    authorizer,
    faults: new Faults(),
    now: () => new Date(),
    loopbackIsSecure: true,
    onRequest: () => undefined,
    onError: (error) => console.error(error),
  });
  const endpointUrl = await server.listen('127.0.0.1');
  const operator = identities.issue(OPERATOR);
  return {
    endpointUrl,
    operator,
    clientOptions: { endpoint: endpointUrl, region: 'eu-west-1', credentials: operator },
    register: (service) => server.register(service),
    close: () => server.close(),
  };
}

/** An S3 that holds the objects given, by `<bucket>/<key>`, and nothing else. */
export function fakeS3(objects: ReadonlyMap<string, string>): LocalService {
  return {
    protocol: 'raw',
    signingName: 's3',
    body: 'buffered',
    describe: () => ({ action: 's3:GetObject', resource: '*' }),
    async handle(request, response) {
      if (request.url?.includes('list-type=2'))
        return void response.end('<ListBucketResult></ListBucketResult>');
      const found = objects.get(decodeURIComponent((request.url ?? '').split('?')[0]?.slice(1) ?? ''));
      response
        .writeHead(found === undefined ? 404 : 200)
        .end(found ?? '<Error><Code>NoSuchKey</Code></Error>');
    },
    refuse: (_request, error) => ({ statusCode: error.statusCode, headers: {}, body: error.message }),
  };
}
