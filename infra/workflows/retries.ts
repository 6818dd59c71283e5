// How a state tries again: one list of errors for all, derived from the errors' own classes.
import { Duration } from 'aws-cdk-lib';
import { Errors, JitterType, type RetryProps } from 'aws-cdk-lib/aws-stepfunctions';
import { retryableErrorNames } from '../../contracts/errors.ts';
import { SILENCE_RETRY, STEP_RETRY } from '../../contracts/limits.ts';

/** Lambda's own transient failures. Source: the Step Functions guide, "Handle transient Lambda service exceptions". */
const LAMBDA_ERRORS = [
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.TooManyRequestsException',
];

type Waits = typeof STEP_RETRY | typeof SILENCE_RETRY;

function retry(errors: string[], waits: Waits): RetryProps {
  return {
    errors,
    interval: Duration.seconds(waits.intervalSeconds),
    backoffRate: waits.backoffRate,
    maxDelay: Duration.seconds(waits.maxDelaySeconds),
    maxAttempts: waits.maxAttempts,
    jitterStrategy: JitterType.FULL,
  };
}

/** Of every step. */
export const TRANSIENT: RetryProps = retry([...LAMBDA_ERRORS, ...retryableErrorNames], STEP_RETRY);

/** Of an action on a host besides: the host program said nothing for too long. */
export const SILENCE: RetryProps = retry([Errors.HEARTBEAT_TIMEOUT, Errors.TIMEOUT], SILENCE_RETRY);
