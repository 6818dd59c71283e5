// The Lambdas: one per step, each with its own role, its own log group and no more rights than it needs.
import type { Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { deployedOf } from '../../contracts/configuration.ts';
import { type StateName, type StepName, stateNames } from '../../contracts/steps.ts';
import { bundleSteps } from './step-bundles.ts';
import { stepFunction } from './step-function.ts';
import { type StepResources, stepNeeds } from './step-needs.ts';

export type StepFunctions = Readonly<Record<StateName, Lambda>>;

/** Steps that no run has told yet which cluster and which configuration they are about. */
const BEFORE_A_RUN: readonly StepName[] = ['ClaimRun', 'ClaimRecovery', 'SweepRuns', 'ReportRefusal'];

export class Steps extends Construct {
  readonly functions: StepFunctions;

  constructor(scope: Construct, id: string, props: StepResources) {
    super(scope, id);
    const clusters = Object.fromEntries(
      Object.keys(props.configuration.clusters).map((clusterId) => [
        clusterId,
        deployedOf(props.configuration, clusterId),
      ]),
    );
    const bundles = bundleSteps(BEFORE_A_RUN, { 'clusters.json': `${JSON.stringify(clusters, null, 2)}\n` });
    this.functions = Object.fromEntries(
      stateNames.map((step) => [step, this.addFunction(step, bundles[step], props)]),
    ) as Record<StateName, Lambda>;
  }

  private addFunction(step: StateName, bundle: string, resources: StepResources): Lambda {
    const { statements, environment } = stepNeeds(step, resources);
    return stepFunction(this, step, {
      description: `Ringvault: the step ${step}`,
      bundle,
      statements,
      environment: {
        RINGVAULT_BUCKET: resources.bucket.bucketName,
        RINGVAULT_PREFIX: resources.prefix,
        ...environment,
      },
    });
  }
}
