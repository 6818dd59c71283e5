// Wires the ports to AWS: the stack's outputs say where everything is. The SDK's clients read the environment, which the
// options of the command line go before.
import { dynamoDbCatalog } from '../adapters/catalog-dynamodb.ts';
import { systemClock } from '../adapters/clock-system.ts';
import { kmsDataKeys } from '../adapters/data-keys-kms.ts';
import { stepFunctionsExecutions } from '../adapters/executions-step-functions.ts';
import { s3ObjectStore } from '../adapters/object-store-s3.ts';
import { systemRandom } from '../adapters/random-system.ts';
import { cloudFormationStacks } from '../adapters/stack-outputs-cloudformation.ts';
import { vaultLayout } from '../contracts/layout.ts';
import type { Deployment } from './deployment.ts';
import type { DeploymentOptions } from './main.ts';

/** @throws UnknownStack AwsCallFailed AwsUnavailable */
export async function connect(options: DeploymentOptions): Promise<Deployment> {
  takeIntoEnvironment(options);
  const outputs = await cloudFormationStacks().outputs(options.stack);
  return {
    catalog: dynamoDbCatalog({ table: outputs.catalogTable, clock: systemClock, random: systemRandom }),
    executions: stepFunctionsExecutions({
      machines: {
        ...{ backup: outputs.backupArn, restore: outputs.restoreArn },
        ...{ register: outputs.registerArn, recover: outputs.recoverArn },
      },
    }),
    store: s3ObjectStore({ bucket: outputs.vaultBucket }),
    vault: { bucket: outputs.vaultBucket },
    layout: vaultLayout(outputs.vaultPrefix),
    dataKeys: (clusterId) => kmsDataKeys({ clusterId }),
    clock: systemClock,
  };
}

/** The aws CLI's AWS_DEFAULT_REGION is unknown to the SDK: who has set it means it. */
function takeIntoEnvironment({ region, profile, endpointUrl }: DeploymentOptions): void {
  const effectiveRegion = region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  if (effectiveRegion) process.env['AWS_REGION'] = effectiveRegion;
  if (profile) process.env['AWS_PROFILE'] = profile;
  if (endpointUrl) process.env['AWS_ENDPOINT_URL'] = endpointUrl;
}
