// The real ports of a step, each made when it is first used, so that a step needs no more environment than its own.
import pino from 'pino';
import { lambdaApplications } from '../../adapters/applications-lambda.ts';
import { dynamoDbCatalog } from '../../adapters/catalog-dynamodb.ts';
import { systemClock } from '../../adapters/clock-system.ts';
import { stepFunctionsExecutions } from '../../adapters/executions-step-functions.ts';
import { ssmHostCommands } from '../../adapters/host-commands-ssm.ts';
import { snsNotifier } from '../../adapters/notifier-sns.ts';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import { schedulerPauseSwitch } from '../../adapters/pause-switch-scheduler.ts';
import { systemRandom } from '../../adapters/random-system.ts';
import { vaultLayout } from '../../contracts/layout.ts';
import { readDeployedClusters } from './deployed-clusters.ts';
import { parseEnvironment, required } from './environment.ts';
import type { StepPorts } from './step-ports.ts';

export function portsFromEnvironment(): StepPorts {
  const variables = parseEnvironment(process.env);
  const need = <Name extends keyof typeof variables>(name: Name) => required(variables, name);
  return lazy({
    vault: () => s3ObjectStore({ bucket: variables.RINGVAULT_BUCKET }),
    openVault: () => s3ObjectStore,
    layout: () => vaultLayout(variables.RINGVAULT_PREFIX),
    catalog: () =>
      dynamoDbCatalog({ table: need('RINGVAULT_TABLE'), clock: systemClock, random: systemRandom }),
    hosts: () =>
      ssmHostCommands({
        documents: {
          action: variables.RINGVAULT_ACTION_DOCUMENT,
          'prepare-x64': variables.RINGVAULT_PREPARE_X64_DOCUMENT,
          'prepare-arm64': variables.RINGVAULT_PREPARE_ARM64_DOCUMENT,
          applications: variables.RINGVAULT_APPLICATIONS_DOCUMENT,
        },
      }),
    executions: () => stepFunctionsExecutions({ machines: { recover: variables.RINGVAULT_RECOVER_ARN } }),
    notifier: () => snsNotifier({ topicArn: need('RINGVAULT_TOPIC_ARN') }),
    applications: () => lambdaApplications({ functions: need('RINGVAULT_APPLICATION_CALLERS') }),
    pauseSwitch: () => schedulerPauseSwitch(need('RINGVAULT_PAUSE_SWITCH')),
    clock: () => systemClock,
    // Written before the call returns: a Lambda is frozen between invocations.
    log: () =>
      pino(
        { base: null, timestamp: pino.stdTimeFunctions.isoTime },
        pino.destination({ dest: 1, sync: true }),
      ),
    kmsKeys: () => need('RINGVAULT_KMS_KEYS'),
    clusters: readDeployedClusters,
    emitMetrics: () => (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`),
  });
}

function lazy<Ports extends object>(makers: { [Name in keyof Ports]: () => Ports[Name] }): Ports {
  const made: Partial<Ports> = {};
  const target = {} as Ports;
  for (const name of Object.keys(makers) as Array<keyof Ports>) {
    Object.defineProperty(target, name, {
      enumerable: true,
      get: () => {
        made[name] ??= makers[name]();
        return made[name];
      },
    });
  }
  return target;
}
