// Ringvault's own stack: one per account and region serves every cluster of ringvault.yaml.
import { DefaultStackSynthesizer, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { RingvaultConfiguration } from '../contracts/configuration.ts';
import { CassandraBackup } from './constructs/cassandra-backup.ts';

export interface RingvaultStackProps extends StackProps {
  configuration: RingvaultConfiguration;
}

export class RingvaultStack extends Stack {
  readonly ringvault: CassandraBackup;

  constructor(scope: Construct, id: string, { configuration, ...props }: RingvaultStackProps) {
    super(scope, id, {
      description: 'Ringvault: backup and restore for Apache Cassandra',
      // The CLI checks the bootstrap's version by itself; the template then needs no parameter.
      synthesizer: new DefaultStackSynthesizer({ generateBootstrapVersionRule: false }),
      ...props,
    });
    // "Default" adds nothing to names.
    this.ringvault = new CassandraBackup(this, 'Default', { configuration });
  }
}
