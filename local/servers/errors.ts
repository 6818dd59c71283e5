// Failures of the servers that the local cloud starts: what is missing on this machine, or did not come up.
import { RingvaultError } from '../../contracts/errors.ts';

/** A program that the local cloud needs is not there, or could not do its part (Maven without a network). */
export class LocalToolFailed extends RingvaultError {
  override readonly name = 'LocalToolFailed';
  constructor(message: string, options?: ErrorOptions) {
    super(
      {
        meaning: 'A program that the local cloud needs is missing or failed.',
        hint: 'Install a JDK 17 and Maven, and see that Maven reaches its repository (~/.m2/settings.xml).',
      },
      message,
      options,
    );
  }
}

/** A server process ended or did not answer in time. */
export class LocalServerFailed extends RingvaultError {
  override readonly name = 'LocalServerFailed';
  constructor(message: string, options?: ErrorOptions) {
    super(
      {
        meaning: 'A server of the local cloud did not start.',
        hint: 'See the server’s log, which the message names.',
      },
      message,
      options,
    );
  }
}
