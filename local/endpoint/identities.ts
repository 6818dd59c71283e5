// Who may call the endpoint: key pairs that were issued to the operator, to roles' sessions and to instance roles.
import { randomBytes } from 'node:crypto';
import {
  type Caller,
  type Identities,
  type IssuedCredentials,
  LOCAL_ACCOUNT,
  ServiceError,
} from './service.ts';

export const OPERATOR: Caller = { arn: `arn:aws:iam::${LOCAL_ACCOUNT}:user/operator` };

interface Issued extends IssuedCredentials {
  caller: Caller;
  expiresAt?: Date;
}

export class CredentialRegistry implements Identities {
  readonly #issued = new Map<string, Issued>();

  /** A role's credentials come with a session token, which every request must carry; the operator's have an empty one. */
  issue(caller: Caller, options: { expiresAt?: Date } = {}): IssuedCredentials {
    const isRole = caller.roleArn !== undefined;
    const credentials = {
      accessKeyId: `${isRole ? 'ASIA' : 'AKIA'}${randomBytes(8).toString('hex').toUpperCase()}`,
      secretAccessKey: randomBytes(30).toString('base64url'),
      sessionToken: isRole ? randomBytes(48).toString('base64') : '',
    };
    this.#issued.set(credentials.accessKeyId, { ...credentials, caller, ...options });
    return credentials;
  }

  /** @throws ServiceError UnrecognizedClientException, InvalidToken, ExpiredTokenException */
  find(accessKeyId: string, sessionToken: string, now: Date): { caller: Caller; secretAccessKey: string } {
    const issued = this.#issued.get(accessKeyId);
    if (issued === undefined) {
      throw new ServiceError(
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
      );
    }
    if (issued.sessionToken !== sessionToken) {
      throw new ServiceError(
        'InvalidToken',
        'The session token is not the one that was issued with the access key.',
      );
    }
    if (issued.expiresAt !== undefined && issued.expiresAt <= now) {
      throw new ServiceError(
        'ExpiredTokenException',
        'The security token included in the request is expired',
      );
    }
    return { caller: issued.caller, secretAccessKey: issued.secretAccessKey };
  }
}
