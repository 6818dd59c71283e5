// One Lambda of a step, with its own role, its own log group and the rights that it is given.
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function as Lambda, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { STEP_TIMEOUT_SECONDS } from '../../contracts/limits.ts';

export interface StepFunctionProps {
  description: string;
  /** The directory of its code. */
  bundle: string;
  statements: readonly PolicyStatement[];
  environment: Record<string, string>;
}

/** @param id its logical name, and the beginning of those of its role and log group */
export function stepFunction(scope: Construct, id: string, props: StepFunctionProps): Lambda {
  const { description, bundle, statements, environment } = props;
  const logGroup = new LogGroup(scope, `${id}Logs`, {
    retention: RetentionDays.THREE_MONTHS,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const role = new Role(scope, `${id}Role`, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description,
  });
  logGroup.grantWrite(role);
  for (const statement of statements) role.addToPolicy(statement);
  return new Lambda(scope, id, {
    description,
    code: Code.fromAsset(bundle),
    handler: 'index.handler',
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    role,
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    memorySize: 1024,
    timeout: Duration.seconds(STEP_TIMEOUT_SECONDS),
    environment,
  });
}
