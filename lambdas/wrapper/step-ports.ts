// What a step reaches of the world outside.
import type { Logger } from 'pino';
import type {
  Applications,
  Catalog,
  Clock,
  Executions,
  HostCommands,
  Notifier,
  ObjectStore,
  PauseSwitch,
} from '../../adapters/ports.ts';
import type { DeployedConfiguration, VaultPlace } from '../../contracts/configuration.ts';
import type { VaultLayout } from '../../contracts/layout.ts';

export interface StepPorts {
  readonly vault: ObjectStore;
  /** Another one, to read from. */
  readonly openVault: (place: VaultPlace) => ObjectStore;
  readonly layout: VaultLayout;
  readonly catalog: Catalog;
  readonly hosts: HostCommands;
  readonly executions: Executions;
  readonly notifier: Notifier;
  readonly applications: Applications;
  readonly pauseSwitch: PauseSwitch;
  readonly clock: Clock;
  readonly log: Logger;
  /** What is deployed, by cluster ID: beside the bundles of the steps that begin something. */
  readonly clusters: Readonly<Record<string, DeployedConfiguration>>;
  /** Cluster ID → the ARN of the KMS key that its backups are encrypted with. */
  readonly kmsKeys: Readonly<Record<string, string>>;
  /** Writes a line that CloudWatch reads as metrics. */
  emitMetrics(line: object): void;
}
