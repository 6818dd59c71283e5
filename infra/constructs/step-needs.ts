// What each step may do and what it is told by environment: the whole of the Lambdas' rights, on one page.
import { Stack } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { RingvaultConfiguration } from '../../contracts/configuration.ts';
import type { StateName } from '../../contracts/steps.ts';
import type { ApplicationCallers } from './application-callers.ts';
import type { ClusterKeys } from './cluster-keys.ts';
import { type Documents, sendStatements } from './documents.ts';
import type { MachineNames } from './machine-names.ts';
import { otherVaultStepStatements } from './other-vaults.ts';
import type { PauseSwitch } from './pause-switch.ts';

export interface StepResources {
  configuration: RingvaultConfiguration;
  bucket: IBucket;
  prefix: string;
  table: ITable;
  topic: ITopic;
  documents: Documents;
  keys: ClusterKeys;
  /** Tags that select the hosts of the clusters: key → values. */
  hostTags: ReadonlyMap<string, readonly string[]>;
  machines: MachineNames;
  applications: ApplicationCallers;
  pauseSwitch: PauseSwitch;
}

/** Parts of the vault, by the patterns of their keys. See contracts/layout.ts. */
const VAULT = {
  configuration: 'clusters/*/config/*',
  backups: 'clusters/*/backups/*',
  registrations: 'clusters/*/registrations/*',
  runs: 'clusters/*/runs/*',
  plans: 'plans/*',
  actions: 'actions/*',
  results: 'results/*',
  progress: 'progress/*',
} as const;
type VaultPart = keyof typeof VAULT;

interface Needs {
  /** Which keys encrypt a cluster's backups. */
  knowsKeys?: true;
  get?: VaultPart[];
  /** Backups in vaults that are not this deployment's. */
  readsOtherVaults?: true;
  put?: VaultPart[];
  table?: 'read' | 'write';
  describesExecutions?: true;
  startsRecover?: true;
  sendsCommands?: true;
  findsHosts?: true;
  readsCommands?: true;
  publishes?: true;
  /** By way of the clusters' own functions. */
  callsApplications?: true;
  /** What it may do with the switches that resume applications. */
  pauseSwitch?: 'set' | 'clear';
}

const NEEDS: Readonly<Record<StateName, Needs>> = {
  ClaimRun: { get: ['runs'], put: ['configuration', 'runs'], table: 'write', describesExecutions: true },
  DiscoverHosts: { get: ['configuration'], put: ['plans'], table: 'write', findsHosts: true },
  StartAction: {
    get: ['configuration', 'plans', 'actions', 'results'],
    put: ['actions'],
    table: 'write',
    sendsCommands: true,
    knowsKeys: true,
  },
  FailAction: { get: ['configuration'], table: 'write', readsCommands: true },
  PlanBackup: { get: ['configuration', 'plans', 'results', 'backups'], put: ['plans'], table: 'read' },
  PauseApplications: {
    get: ['configuration', 'plans'],
    put: ['plans'],
    table: 'read',
    callsApplications: true,
    pauseSwitch: 'set',
  },
  CheckPaused: { get: ['configuration', 'plans'], put: ['plans'], table: 'read', callsApplications: true },
  ResumeApplications: {
    get: ['configuration', 'plans'],
    put: ['plans'],
    table: 'read',
    callsApplications: true,
    pauseSwitch: 'clear',
  },
  SetRendezvous: { get: ['configuration'] },
  CheckSnapshots: { get: ['configuration', 'plans', 'results'], table: 'read' },
  CheckIncrements: { get: ['configuration', 'plans', 'results'], put: ['plans'], table: 'read' },
  SealBackup: {
    get: ['configuration', 'plans', 'results', 'backups'],
    put: ['backups'],
    table: 'read',
    knowsKeys: true,
  },
  PlanRestore: {
    get: ['configuration', 'plans', 'results', 'backups'],
    put: ['plans'],
    table: 'read',
    readsOtherVaults: true,
  },
  CheckDead: { get: ['plans', 'results'], table: 'read' },
  VerifyRestore: { get: ['plans', 'results', 'backups'], table: 'read', readsOtherVaults: true },
  RegisterCluster: {
    get: ['configuration', 'plans', 'results', 'registrations'],
    put: ['registrations'],
    table: 'read',
  },
  UnregisterCluster: { put: ['registrations'], table: 'read' },
  RecordRun: {
    get: ['plans', 'results', 'progress', 'backups', 'registrations', 'runs'],
    put: ['registrations', 'runs'],
    table: 'write',
  },
  NotifyRun: { get: ['runs'], table: 'read', publishes: true },
  ReportRefusal: { publishes: true },
  ReleaseRun: { table: 'write' },
  FailRun: { table: 'write' },
  ClaimRecovery: {
    get: ['runs'],
    put: ['configuration', 'runs'],
    table: 'write',
    describesExecutions: true,
  },
  PlanRecovery: {
    get: ['plans', 'results', 'backups', 'runs'],
    put: ['plans'],
    table: 'read',
    describesExecutions: true,
  },
  SweepRuns: {
    get: ['backups'],
    table: 'write',
    describesExecutions: true,
    startsRecover: true,
    publishes: true,
  },
};

const TABLE_READ = ['dynamodb:GetItem', 'dynamodb:Query'];
const TABLE_WRITE = ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:ConditionCheckItem'];

/** The statements of a step's role besides its log group's, and its environment besides bucket and prefix. */
export function stepNeeds(
  step: StateName,
  resources: StepResources,
): { statements: PolicyStatement[]; environment: Record<string, string> } {
  const needs = NEEDS[step];
  const statements: PolicyStatement[] = [];
  const environment: Record<string, string> = {};
  const allow = (
    actions: string[],
    arns: string[],
    conditions: Record<string, Record<string, unknown>> = {},
  ) => statements.push(new PolicyStatement({ actions, resources: arns, conditions }));

  const vault = (parts: VaultPart[]) =>
    parts.map((part) => resources.bucket.arnForObjects(`${resources.prefix}${VAULT[part]}`));
  if (needs.get) {
    allow(['s3:GetObject'], vault(needs.get));
    // Without it, S3 answers 403 instead of 404 for what is not there (yet), and lists no backups.
    allow(['s3:ListBucket'], [resources.bucket.bucketArn]);
  }
  if (needs.get?.includes('backups')) {
    statements.push(...resources.keys.stepStatements(needs.put?.includes('backups') ?? false));
  }
  if (needs.readsOtherVaults)
    statements.push(...otherVaultStepStatements(resources.bucket, resources.configuration));
  if (needs.knowsKeys) environment['RINGVAULT_KMS_KEYS'] = resources.keys.toJson();
  if (needs.put) allow(['s3:PutObject'], vault(needs.put));
  if (needs.table) {
    allow(needs.table === 'read' ? TABLE_READ : [...TABLE_READ, ...TABLE_WRITE], [resources.table.tableArn]);
    environment['RINGVAULT_TABLE'] = resources.table.tableName;
  }
  if (needs.describesExecutions) allow(['states:DescribeExecution'], resources.machines.executionArns());
  if (needs.startsRecover) {
    allow(['states:StartExecution'], [resources.machines.arn('recover')]);
    environment['RINGVAULT_RECOVER_ARN'] = resources.machines.arn('recover');
  }
  // Neither call knows resources below the account.
  if (needs.findsHosts) allow(['ssm:DescribeInstanceInformation'], ['*']);
  if (needs.readsCommands) allow(['ssm:GetCommandInvocation'], ['*']);
  if (needs.sendsCommands) {
    statements.push(
      ...sendStatements(Stack.of(resources.table), resources.documents.arns, resources.hostTags),
    );
    Object.assign(environment, resources.documents.environment);
  }
  if (needs.publishes) {
    allow(['sns:Publish'], [resources.topic.topicArn]);
    environment['RINGVAULT_TOPIC_ARN'] = resources.topic.topicArn;
  }
  if (needs.callsApplications && resources.applications.arns.length > 0) {
    allow(['lambda:InvokeFunction'], resources.applications.arns);
    environment['RINGVAULT_APPLICATION_CALLERS'] = resources.applications.toJson();
  }
  if (needs.pauseSwitch) {
    statements.push(...resources.pauseSwitch.statements(needs.pauseSwitch));
    environment['RINGVAULT_PAUSE_SWITCH'] = resources.pauseSwitch.toJson(needs.pauseSwitch);
  }
  return { statements, environment };
}
