// The Lambdas: one per step, each with its own role, its own log group and no more rights than it needs.
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function as Lambda, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { RingvaultConfiguration } from '../../contracts/configuration.ts';
import { FORMAT_VERSION } from '../../contracts/documents.ts';
import { STEP_TIMEOUT_SECONDS } from '../../contracts/limits.ts';
import { type StepName, stepNames } from '../../contracts/steps.ts';
import { bundleSteps } from './step-bundles.ts';
import { type StepResources, stepNeeds } from './step-needs.ts';

export type StepFunctions = Readonly<Record<StepName, Lambda>>;

/** Steps that no run has told yet which cluster and which configuration they are about. */
const BEFORE_A_RUN: readonly StepName[] = ['ClaimRun', 'ClaimRecovery', 'SweepRuns', 'ReportRefusal'];

export interface StepsProps extends StepResources {
  configuration: RingvaultConfiguration;
}

export class Steps extends Construct {
  readonly functions: StepFunctions;

  constructor(scope: Construct, id: string, props: StepsProps) {
    super(scope, id);
    const clusters = Object.fromEntries(
      Object.entries(props.configuration.clusters).map(([clusterId, cluster]) => [
        clusterId,
        { formatVersion: FORMAT_VERSION, clusterId, cluster },
      ]),
    );
    const bundles = bundleSteps(BEFORE_A_RUN, { 'clusters.json': `${JSON.stringify(clusters, null, 2)}\n` });
    this.functions = Object.fromEntries(
      stepNames.map((step) => [step, this.addFunction(step, bundles[step], props)]),
    ) as Record<StepName, Lambda>;
  }

  private addFunction(step: StepName, bundle: string, resources: StepResources): Lambda {
    const logGroup = new LogGroup(this, `${step}Logs`, {
      retention: RetentionDays.THREE_MONTHS,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, `${step}Role`, {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Ringvault: the step ${step}`,
    });
    logGroup.grantWrite(role);
    const { statements, environment } = stepNeeds(step, resources);
    for (const statement of statements) role.addToPolicy(statement);
    return new Lambda(this, step, {
      description: `Ringvault: the step ${step}`,
      code: Code.fromAsset(bundle),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      memorySize: 1024,
      timeout: Duration.seconds(STEP_TIMEOUT_SECONDS),
      environment: {
        RINGVAULT_BUCKET: resources.bucket.bucketName,
        RINGVAULT_PREFIX: resources.prefix,
        ...environment,
      },
    });
  }
}
