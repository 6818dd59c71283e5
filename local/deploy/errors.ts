// The one failure of the deployer: what the template asks for that the local cloud does not do, or cannot understand.
import { RingvaultError } from '../../contracts/errors.ts';

/** The template cannot be deployed as it is; the message names the resource, the property and what was expected. */
export class DeploymentRefused extends RingvaultError {
  override readonly name = 'DeploymentRefused';
  constructor(message: string, options?: ErrorOptions) {
    super(
      {
        meaning:
          'The template has a resource, a property or a function that the local cloud does not implement.',
        hint: 'Leave it out, or add it to local/deploy/resources.',
        exitCode: 3,
      },
      message,
      options,
    );
  }
}
