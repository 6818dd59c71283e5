// The local cloud: every AWS service that Ringvault needs, in this process and on one endpoint, the synthesized template
// deployed to it, and hosts to run commands on.
//   const cloud = await startCloud({ stateDirectory: '.local/demo' });
//   await cloud.deploy('cdk.out');
//   const host = await cloud.addHost({ instanceId, clusterId: 'demo', tags, cassandra: cluster.nodes[0] });
//   …; await cloud.close();
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { z } from 'zod';
import { readCloudAssembly } from './deploy/cloud-assembly.ts';
import type { Platform } from './deploy/platform.ts';
import { Roles } from './deploy/roles.ts';
import { deployStack } from './deploy/stack.ts';
import { type StackRecord, StackRecords } from './deploy/stack-records.ts';
import { OPERATOR } from './endpoint/identities.ts';
import { type LocalEndpoint, type LocalEndpointOptions, startEndpoint } from './endpoint/local-endpoint.ts';
import { type IssuedCredentials, LOCAL_ACCOUNT, LOCAL_PARTITION, LOCAL_REGION } from './endpoint/service.ts';
import { type HostedCassandra, LocalHost } from './hosts/host.ts';
import { Functions } from './lambda/functions.ts';
import { LambdaEndpoint } from './lambda/lambda-endpoint.ts';
import { cloudFormationService } from './services/cloudformation.ts';
import { EventBus, eventsService } from './services/events.ts';
import { lambdaService } from './services/lambda.ts';
import { Queues } from './services/queues.ts';
import { ScheduleClock } from './services/schedule-clock.ts';
import { Scheduler } from './services/scheduler.ts';
import { schedulerService } from './services/scheduler-service.ts';
import { ssmService } from './services/ssm.ts';
import { RunCommand } from './services/ssm-commands.ts';
import { Targets } from './services/targets.ts';
import { claimStateDirectory, releaseStateDirectory } from './state-directory.ts';
import type { StepFunctions } from './step-functions/step-functions.ts';
import { createStepFunctions } from './step-functions/step-functions.ts';
import { workflowPorts } from './workflow-ports.ts';

export interface CloudOptions extends Omit<LocalEndpointOptions, 'stateDirectory'> {
  /** Emptied at the start; one for each local cloud that runs. */
  stateDirectory: string;
  /** Where state machines invoke the functions that are not deployed here; without it there are no others. */
  lambdaEndpoint?: string;
}

export interface NewHost {
  /** `i-` and 8 to 17 hex digits. */
  instanceId: string;
  /** Whose host policy, from the deployed template, the instance's role has. */
  clusterId: string;
  tags: Record<string, string>;
  cassandra?: HostedCassandra;
  /** Clusters in the host's guard file; by default its own. */
  restorable?: readonly string[];
}

export interface Cloud {
  endpoint: LocalEndpoint;
  /** May do everything that no bucket policy denies. */
  operator: IssuedCredentials;
  /** For AWS SDK clients, as the operator. */
  clientOptions: { endpoint: string; region: string; credentials: IssuedCredentials };
  /** The same as environment variables. */
  environment: Record<string, string>;
  stateDirectory: string;
  stepFunctions: StepFunctions;
  functions: Functions;
  runCommand: RunCommand;
  scheduler: Scheduler;
  /** Stands still until it is moved or follows the real one. */
  scheduleClock: ScheduleClock;
  events: EventBus;
  queues: Queues;
  /** What schedules and rules have sent. */
  targets: Targets;
  roles: Roles;
  stacks: StackRecords;
  /** Deploys every stack of a cdk.out directory. @throws DeploymentRefused */
  deploy(assemblyDirectory: string): Promise<StackRecord[]>;
  /** After `deploy`. @throws DeploymentRefused where no stack has a policy for the cluster's hosts */
  addHost(host: NewHost): Promise<LocalHost>;
  /** Ends everything that was started. */
  close(): Promise<void>;
}

/** @throws StateDirectoryInUse LocalToolFailed LocalServerFailed */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const stateDirectory = await claimStateDirectory(options.stateDirectory);
  const endpoint = await startEndpoint({ ...options, stateDirectory });
  const operator = endpoint.identities.issue(OPERATOR);
  const clientOptions = { endpoint: endpoint.url, region: LOCAL_REGION, credentials: operator };
  const parts = createParts(endpoint, stateDirectory, options.lambdaEndpoint);
  const clients = {
    s3: new S3Client({ ...clientOptions, forcePathStyle: true }),
    dynamodb: new DynamoDBClient(clientOptions),
    sns: new SNSClient(clientOptions),
  };
  const platform: Platform = { ...parts, ...clients, authorizer: endpoint.authorizer, keys: endpoint.keys };
  const hostRoles = new Set<string>();
  return {
    ...parts,
    endpoint,
    operator,
    clientOptions,
    environment: environmentOf(endpoint.url, operator),
    stateDirectory,
    async deploy(assemblyDirectory) {
      const records: StackRecord[] = [];
      for (const stack of await readCloudAssembly(assemblyDirectory)) {
        records.push(await deployStack(stack, platform));
      }
      return records;
    },
    addHost: (host) => addHost(host, { endpoint, stateDirectory, hostRoles, ...parts }),
    close: () =>
      endAll([
        () => parts.scheduleClock.stop(),
        () => parts.stepFunctions.close(),
        ...[...parts.runCommand.hosts.values()].map((host) => () => host.close()),
        () => parts.functions.close(),
        () => parts.ports.close(),
        ...Object.values(clients).map((client) => () => client.destroy()),
        () => endpoint.close(),
        () => releaseStateDirectory(stateDirectory),
      ]),
  };
}

/** One after another, all of them; then the first failure, if there was one. */
async function endAll(ends: Array<() => unknown>): Promise<void> {
  const failures: unknown[] = [];
  for (const end of ends) {
    try {
      await end();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

function createParts(endpoint: LocalEndpoint, stateDirectory: string, lambdaEndpoint: string | undefined) {
  const { authorizer, identities } = endpoint;
  const functions = new Functions(
    {
      endpointUrl: endpoint.url,
      region: LOCAL_REGION,
      logDirectory: join(stateDirectory, 'logs/lambda'),
      credentials: ({ roleArn, name }) => {
        const role = roleArn.split('/').at(-1);
        return identities.issue({
          arn: `arn:${LOCAL_PARTITION}:sts::${LOCAL_ACCOUNT}:assumed-role/${role}/${name}`,
          roleArn,
        });
      },
    },
    authorizer,
  );
  const outside = lambdaEndpoint === undefined ? undefined : new LambdaEndpoint(lambdaEndpoint);
  const ports = workflowPorts(endpoint, functions, outside);
  const place = { partition: LOCAL_PARTITION, region: LOCAL_REGION, account: LOCAL_ACCOUNT };
  const stepFunctions = createStepFunctions(place, ports);
  const queues = new Queues();
  const targets = new Targets(authorizer, functions, stepFunctions, queues);
  const scheduleClock = new ScheduleClock(new Date());
  const scheduler = new Scheduler(scheduleClock, targets);
  const events = new EventBus(scheduleClock, targets);
  stepFunctions.onExecutionStatusChange((change) => void events.executionStatusChanged(change));
  const runCommand = new RunCommand();
  const roles = new Roles(authorizer);
  const stacks = new StackRecords();
  endpoint.register(stepFunctions.service);
  endpoint.register(lambdaService(functions));
  endpoint.register(ssmService(runCommand));
  endpoint.register(schedulerService(scheduler));
  endpoint.register(eventsService(events));
  endpoint.register(cloudFormationService(stacks));
  return {
    functions,
    ports,
    stepFunctions,
    queues,
    targets,
    scheduleClock,
    scheduler,
    events,
    runCommand,
    roles,
    stacks,
  };
}

interface HostSurroundings {
  endpoint: LocalEndpoint;
  stateDirectory: string;
  hostRoles: Set<string>;
  roles: Roles;
  stacks: StackRecords;
  runCommand: RunCommand;
}

async function addHost(host: NewHost, surroundings: HostSurroundings): Promise<LocalHost> {
  const { endpoint, stateDirectory, runCommand } = surroundings;
  const { instanceId, clusterId } = host;
  const instanceArn = `arn:${LOCAL_PARTITION}:ec2:${LOCAL_REGION}:${LOCAL_ACCOUNT}:instance/${instanceId}`;
  const roleName = hostRole(clusterId, surroundings);
  const created = await LocalHost.create({
    instanceId,
    instanceArn,
    tags: host.tags,
    directory: join(stateDirectory, 'hosts'),
    endpointUrl: endpoint.url,
    region: LOCAL_REGION,
    credentials: endpoint.identities.issue({
      arn: `arn:${LOCAL_PARTITION}:sts::${LOCAL_ACCOUNT}:assumed-role/${roleName}/${instanceId}`,
      roleArn: `arn:${LOCAL_PARTITION}:iam::${LOCAL_ACCOUNT}:role/${roleName}`,
      instanceArn,
    }),
    restorable: host.restorable ?? [clusterId],
    ...(host.cassandra && { cassandra: host.cassandra }),
  });
  runCommand.hosts.set(instanceId, created);
  return created;
}

const hostPolicyArns = z.record(z.string(), z.string());

/** The instance role that an operator would have made: it trusts EC2 and has the cluster's host policy. */
function hostRole(clusterId: string, { stacks, roles, hostRoles }: HostSurroundings): string {
  const name = `hosts-of-${clusterId}`;
  if (hostRoles.has(name)) return name;
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  };
  roles.create({ arn: `arn:${LOCAL_PARTITION}:iam::${LOCAL_ACCOUNT}:role/${name}`, name, trust });
  for (const { outputs } of stacks.stacks.values()) {
    const arns = outputs['HostPolicyArns'];
    const arn = arns && hostPolicyArns.parse(JSON.parse(arns))[clusterId];
    if (arn) roles.attachManagedPolicy(name, arn);
  }
  hostRoles.add(name);
  return name;
}

function environmentOf(endpointUrl: string, credentials: IssuedCredentials): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpointUrl,
    AWS_REGION: LOCAL_REGION,
    AWS_DEFAULT_REGION: LOCAL_REGION,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    ...(credentials.sessionToken && { AWS_SESSION_TOKEN: credentials.sessionToken }),
  };
}
