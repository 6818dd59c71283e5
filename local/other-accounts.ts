// What a shell says of AWS accounts that are none of ours: a profile, a session, endpoints of single services.
const NAMES =
  /^AWS_(?:(?:DEFAULT_)?PROFILE|SESSION_TOKEN|SECURITY_TOKEN|ROLE_ARN|WEB_IDENTITY_TOKEN_FILE|ENDPOINT_URL(?:_.+)?|CONTAINER_.+)$/;

/** It would go before the local cloud's own credentials, of this process and of all that it starts. */
export function forgetOtherAccounts(environment = process.env): void {
  for (const name of Object.keys(environment)) if (NAMES.test(name)) delete environment[name];
}
