// Vaults that are not this deployment's: what reads them, no more than the backups of the clusters that `restoresFrom` names.
// Where one is another account's, its bucket's and keys' policies must allow the same.
import { Arn, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { OtherVault, RestoresFrom, RingvaultConfiguration } from '../../contracts/configuration.ts';
import { directly, throughS3 } from './cluster-keys.ts';

type Configured = Pick<RingvaultConfiguration, 'clusters' | 'vaults'>;

/** A cluster's backups in a vault. */
interface Source {
  vault: OtherVault;
  cluster: string;
}

/** Of the steps that plan and verify restores: manifests, of all clusters. */
export function otherVaultStepStatements(scope: Construct, configuration: Configured): PolicyStatement[] {
  const all = Object.values(configuration.clusters).flatMap(({ restoresFrom }) => restoresFrom);
  const sources = sourcesOf(configuration, all);
  if (sources.length === 0) return [];
  const bucket = ({ vault }: Source) => arnOf(scope, vault.bucket);
  return [
    new PolicyStatement({
      sid: 'ReadManifestsOfOtherVaults',
      actions: ['s3:GetObject'],
      resources: unique(sources.map((each) => objectsOf(scope, each, 'backups'))),
      conditions: ofAccounts(sources),
    }),
    // For the latest; and S3 answers 403 instead of 404 without it.
    new PolicyStatement({
      sid: 'ListBackupsOfOtherVaults',
      actions: ['s3:ListBucket'],
      resources: unique(sources.map(bucket)),
      conditions: {
        ...ofAccounts(sources),
        StringLikeIfExists: {
          's3:prefix': unique(
            sources.map(({ vault, cluster }) => `${vault.prefix}clusters/${cluster}/backups/*`),
          ),
        },
      },
    }),
    ...decryptStatements(sources, false),
  ];
}

/** Of a cluster's hosts: manifests and objects. */
export function otherVaultHostStatements(
  scope: Construct,
  configuration: Configured,
  clusterId: string,
): PolicyStatement[] {
  const sources = sourcesOf(configuration, configuration.clusters[clusterId]?.restoresFrom ?? []);
  if (sources.length === 0) return [];
  return [
    new PolicyStatement({
      sid: 'ReadBackupsOfOtherVaults',
      actions: ['s3:GetObject'],
      resources: sources.flatMap((each) => [
        objectsOf(scope, each, 'objects'),
        objectsOf(scope, each, 'backups'),
      ]),
      conditions: ofAccounts(sources),
    }),
    ...decryptStatements(sources, true),
  ];
}

function sourcesOf({ vaults }: Configured, restoresFrom: readonly RestoresFrom[]): Source[] {
  return restoresFrom.flatMap((source) => {
    if (typeof source === 'string') return [];
    const vault = vaults[source.vault];
    return vault ? [{ vault, cluster: source.cluster }] : [];
  });
}

/** A bucket that somebody else makes under the name, once it is deleted, is not that vault. */
function ofAccounts(sources: readonly Source[]): Record<string, Record<string, string[]>> {
  const accounts = unique(sources.flatMap(({ vault }) => vault.account ?? []));
  const isKnown = sources.every(({ vault }) => vault.account !== undefined);
  return isKnown ? { StringEquals: { 'aws:ResourceAccount': accounts } } : {};
}

/** @param ofHosts which also unwrap data keys */
function decryptStatements(sources: readonly Source[], ofHosts: boolean): PolicyStatement[] {
  return sources
    .filter(({ vault }) => vault.kmsKeyArns.length > 0)
    .flatMap(({ vault: { kmsKeyArns, region }, cluster }) => [
      throughS3(['kms:Decrypt'], kmsKeyArns, region),
      ...(ofHosts ? [directly(['kms:Decrypt'], kmsKeyArns, cluster)] : []),
    ]);
}

function objectsOf(scope: Construct, { vault, cluster }: Source, part: 'objects' | 'backups'): string {
  return arnOf(scope, `${vault.bucket}/${vault.prefix}clusters/${cluster}/${part}/*`);
}

function arnOf(scope: Construct, resource: string): string {
  return Arn.format({ service: 's3', region: '', account: '', resource }, Stack.of(scope));
}

const unique = (arns: string[]) => [...new Set(arns)];
