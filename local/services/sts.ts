// STS: who a caller is, and sessions of roles whose trust policy lets the caller in.
import { z } from 'zod';
import type { PolicyAuthorizer } from '../endpoint/authorize/policy-authorizer.ts';
import type { CredentialRegistry } from '../endpoint/identities.ts';
import { LOCAL_ACCOUNT, type QueryService, ServiceError } from '../endpoint/service.ts';
import { operation } from './operation.ts';

const assumeRoleInput = z.strictObject({
  RoleArn: z.string(),
  RoleSessionName: z.string().regex(/^[\w+=,.@-]{2,64}$/),
  DurationSeconds: z.coerce.number().int().min(900).max(43_200).default(3_600),
});

export function stsService(parts: {
  identities: CredentialRegistry;
  authorizer: PolicyAuthorizer;
  now(): Date;
}): QueryService {
  const { identities, authorizer, now } = parts;
  return {
    protocol: 'query',
    signingName: 'sts',
    xmlNamespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
    operations: {
      /** Needs no permission. */
      GetCallerIdentity: operation(z.strictObject({}), async (_input, { caller }) => ({
        Arn: caller.arn,
        UserId: caller.arn.split('/').slice(1).join(':'),
        Account: LOCAL_ACCOUNT,
      })),
      AssumeRole: operation(assumeRoleInput, async (input, { caller }) => {
        const { RoleArn, RoleSessionName, DurationSeconds } = input;
        const decision = authorizer.decideAssumeRole(caller, RoleArn);
        if (!decision.allowed) {
          throw new ServiceError(
            'AccessDeniedException',
            `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${RoleArn}: ${decision.reason}`,
          );
        }
        const roleName = RoleArn.split('/').at(-1) ?? '';
        const arn = `arn:aws:sts::${LOCAL_ACCOUNT}:assumed-role/${roleName}/${RoleSessionName}`;
        const expiresAt = new Date(now().getTime() + DurationSeconds * 1000);
        const issued = identities.issue({ arn, roleArn: RoleArn }, { expiresAt });
        return {
          Credentials: {
            AccessKeyId: issued.accessKeyId,
            SecretAccessKey: issued.secretAccessKey,
            SessionToken: issued.sessionToken,
            Expiration: expiresAt,
          },
          AssumedRoleUser: { AssumedRoleId: `${roleName}:${RoleSessionName}`, Arn: arn },
        };
      }),
    },
  };
}
