// The whole of Ringvault as one construct, for its own stack and for anybody's CDK app.
import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { RingvaultConfiguration } from '../../contracts/configuration.ts';
import { type HostArchitecture, type HostBundle, hostBundle } from '../host-bundle/host-bundle.ts';
import { Alarms } from './alarms.ts';
import { ApplicationCallers } from './application-callers.ts';
import { Catalog } from './catalog.ts';
import { ClusterKeys } from './cluster-keys.ts';
import { Documents } from './documents.ts';
import { hostPolicy } from './host-policy.ts';
import { MachineNames } from './machine-names.ts';
import { Notifications } from './notifications.ts';
import { PauseSwitch } from './pause-switch.ts';
import { Schedules } from './schedules.ts';
import { Steps } from './steps.ts';
import { Vault } from './vault.ts';
import { Workflows } from './workflows.ts';

export interface CassandraBackupProps {
  /** As `parseConfiguration` or `readConfiguration` returns it. */
  configuration: RingvaultConfiguration;
}

/** Backs up and restores the configured clusters. One in a stack: its outputs are found by their names. */
export class CassandraBackup extends Construct {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly notifications: Notifications;
  readonly backup: StateMachine;
  readonly restore: StateMachine;
  readonly register: StateMachine;
  readonly recover: StateMachine;
  /** By cluster ID: to be attached to the role of the cluster's instances. */
  readonly hostPolicies: ReadonlyMap<string, ManagedPolicy>;

  constructor(scope: Construct, id: string, { configuration }: CassandraBackupProps) {
    super(scope, id);
    const { prefix } = configuration.vault;
    const machines = new MachineNames(this);
    this.vault = new Vault(this, 'Vault', { prefix });
    this.catalog = new Catalog(this, 'Catalog');
    this.notifications = new Notifications(this, 'Notifications', configuration);
    const { bucket } = this.vault;
    const { table } = this.catalog;
    const { topic } = this.notifications;

    const keys = new ClusterKeys(this, 'Keys', configuration);
    const bundles = hostBundles(this, configuration);
    const documents = new Documents(this, 'Documents', { bucket, prefix, bundles });
    const hostTags = tagsOf(configuration);
    const applications = new ApplicationCallers(this, 'Applications', { configuration, bucket });
    const pauseSwitch = new PauseSwitch(this, 'PauseSwitch');
    const { functions } = new Steps(this, 'Steps', {
      configuration,
      bucket,
      prefix,
      table,
      topic,
      documents,
      keys,
      hostTags,
      machines,
      applications,
      pauseSwitch,
    });
    pauseSwitch.resumesBy(functions.ResumeApplications);
    const workflows = new Workflows(this, 'Workflows', { functions, vault: bucket, prefix, machines });
    this.backup = workflows.backup;
    this.restore = workflows.restore;
    this.register = workflows.register;
    this.recover = workflows.recover;

    const { deadLetters } = new Schedules(this, 'Schedules', {
      configuration,
      backup: this.backup,
      restore: this.restore,
      register: this.register,
      recover: this.recover,
      sweepRuns: functions.SweepRuns,
    });
    const resumeApplications = functions.ResumeApplications;
    new Alarms(this, 'Alarms', { configuration, deadLetters, resumeApplications, topic });
    this.hostPolicies = new Map(
      Object.entries(configuration.clusters).map(([clusterId, cluster]) => {
        const bundle = required(bundles, cluster.hosts.architecture);
        const of = { configuration, clusterId, cluster };
        return [clusterId, hostPolicy(this, { ...of, bucket, prefix, bundle, keys, machines })];
      }),
    );
    this.addOutputs(prefix, keys);
  }

  /** By these names the command and the local cloud find the deployment. */
  private addOutputs(prefix: string, keys: ClusterKeys): void {
    const outputs: Record<string, string> = {
      VaultBucket: this.vault.bucket.bucketName,
      VaultPrefix: prefix,
      CatalogTable: this.catalog.table.tableName,
      TopicArn: this.notifications.topic.topicArn,
      BackupArn: this.backup.stateMachineArn,
      RestoreArn: this.restore.stateMachineArn,
      RegisterArn: this.register.stateMachineArn,
      RecoverArn: this.recover.stateMachineArn,
      KmsKeyArns: keys.toJson(),
      HostPolicyArns: Stack.of(this).toJsonString(
        Object.fromEntries([...this.hostPolicies].map(([id, policy]) => [id, policy.managedPolicyArn])),
      ),
    };
    for (const [name, value] of Object.entries(outputs)) {
      new CfnOutput(this, name, { value }).overrideLogicalId(name);
    }
  }
}

function hostBundles(
  scope: Construct,
  { clusters }: RingvaultConfiguration,
): Map<HostArchitecture, HostBundle> {
  const architectures = new Set(Object.values(clusters).map(({ hosts }) => hosts.architecture));
  return new Map([...architectures].sort().map((each) => [each, hostBundle(scope, each)]));
}

function tagsOf({ clusters }: RingvaultConfiguration): Map<string, string[]> {
  const tags = new Map<string, string[]>();
  for (const { hosts } of Object.values(clusters)) {
    tags.set(hosts.tag.key, [...new Set([...(tags.get(hosts.tag.key) ?? []), hosts.tag.value])]);
  }
  return tags;
}

function required<Key, Value>(map: ReadonlyMap<Key, Value>, key: Key): Value {
  const value = map.get(key);
  if (value === undefined) throw new Error(`got no entry for ${String(key)}`);
  return value;
}
