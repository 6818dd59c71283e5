// One action on one host: what the Distributed Maps of the workflows run for each item of a host list.
import {
  Errors,
  Fail,
  type IChainable,
  IntegrationPattern,
  QueryLanguage,
  TaskInput,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';
import type { StepFunctions } from '../constructs/steps.ts';
import { ANSWER, jsonata, reportableCause, reportableName, toldFrom } from './expressions.ts';
import { SILENCE, TRANSIENT } from './retries.ts';

const LIMIT = '$states.input.policy.actionTimeoutSeconds';
const NOT_AFTER = '$states.input.parameters.notAfter';
/** As the policy says, and no longer than until the end of a pause. */
const TIMEOUT = `$min([${LIMIT}, $exists(${NOT_AFTER}) and ${NOT_AFTER} != '' ? $max([3, $ceil(($toMillis(${NOT_AFTER}) - $millis()) / 1000)]) : ${LIMIT}])`;

/** Waits for the host's answer so long; the CDK would render expressions as JSONPath. */
class TokenStep extends LambdaInvoke {
  override toStateJson(language?: QueryLanguage): object {
    return {
      ...super.toStateJson(language),
      // Less than the time-out, as Step Functions wants it, also where a second passes between the two.
      HeartbeatSeconds: jsonata(`$min([$states.input.policy.heartbeatSeconds, ${TIMEOUT} - 2])`),
      TimeoutSeconds: jsonata(TIMEOUT),
    };
  }
}

/**
 * StartAction, and where it fails FailAction, which keeps the cause, before the child fails with the cause's own name.
 * What the host answered lies in the vault as well, so that the child returns nothing.
 * @param mapName follows each state's name, which must be unique in the machine
 */
export function actionOnHost(scope: Construct, mapName: string, functions: StepFunctions): IChainable {
  const named = (name: string) => `${name} (${mapName})`;
  const startAction = new TokenStep(scope, named('StartAction'), {
    queryLanguage: QueryLanguage.JSONATA,
    integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
    lambdaFunction: functions.StartAction,
    retryOnServiceExceptions: false,
    payload: TaskInput.fromText(
      jsonata("$merge([$states.input, {'taskToken': $states.context.Task.Token}])"),
    ),
    outputs: {},
  });
  const failAction = LambdaInvoke.jsonata(scope, named('FailAction'), {
    lambdaFunction: functions.FailAction,
    retryOnServiceExceptions: false,
    payload: TaskInput.fromObject({
      run: jsonata('$states.input.run'),
      host: jsonata('$states.input.host'),
      action: jsonata('$states.input.action'),
      phase: jsonata('$states.input.phase'),
      error: jsonata('$states.input.error'),
    }),
    outputs: jsonata(ANSWER),
  });
  const actionFailed = Fail.jsonata(scope, named('ActionFailed'), {
    error: reportableName('$states.input.errorName'),
    cause: reportableCause('$states.input'),
  });

  startAction.addRetry(TRANSIENT).addRetry(SILENCE);
  startAction.addCatch(failAction, {
    errors: [Errors.ALL],
    outputs: jsonata("$merge([$states.input, {'error': $states.errorOutput}])"),
  });
  failAction.addRetry(TRANSIENT);
  failAction.addCatch(actionFailed, {
    errors: [Errors.ALL],
    outputs: toldFrom('$states.input.error'),
  });
  failAction.next(actionFailed);
  return startAction;
}
