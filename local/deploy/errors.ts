// The one failure of the deployer: what the template asks for that the local cloud does not do, or cannot understand.
import { RingvaultError } from '../../contracts/errors.ts';

/** The template cannot be deployed as it is; the message names the resource, the property and what was expected. */
export class DeploymentRefused extends RingvaultError {
  override readonly name = 'DeploymentRefused';
  constructor(message: string, options?: ErrorOptions) {
    super(
      {
        hint: 'The local cloud refuses what it does not implement: see docs/local.md for what it does.',
        exitCode: 3,
      },
      message,
      options,
    );
  }
}
