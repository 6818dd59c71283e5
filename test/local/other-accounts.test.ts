// A shell of somebody who works with AWS: nothing of it reaches the local cloud.
import { expect, it } from 'vitest';
import { forgetOtherAccounts } from '../../local/other-accounts.ts';

it('forgets profiles, sessions and endpoints, and nothing else', () => {
  const environment = {
    AWS_PROFILE: 'work',
    AWS_DEFAULT_PROFILE: 'work',
    AWS_SESSION_TOKEN: 'token',
    AWS_ENDPOINT_URL: 'https://example.com',
    AWS_ENDPOINT_URL_S3: 'https://example.com',
    AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1',
    AWS_REGION: 'eu-west-1',
    AWS_CA_BUNDLE: '/etc/ca.pem',
    HOME: '/root',
  };
  forgetOtherAccounts(environment);
  expect(Object.keys(environment)).toEqual(['AWS_REGION', 'AWS_CA_BUNDLE', 'HOME']);
});
