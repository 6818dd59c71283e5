// Which KMS keys encrypt what a cluster's backup stores.
import type { ActionInput } from '../../contracts/actions.ts';
import type { ClusterConfiguration } from '../../contracts/configuration.ts';
import { InvalidConfiguration } from '../../contracts/errors.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

export type EncryptionKeys = ActionInput<'upload'>['encryption'];

/** @throws InvalidConfiguration where the deployment has no key of the cluster any more */
export function encryptionKeysOf(
  { kmsKeys }: Pick<StepPorts, 'kmsKeys'>,
  clusterId: string,
  { encryption }: Pick<ClusterConfiguration, 'encryption'>,
): EncryptionKeys {
  const { serverSide, clientSide } = encryption;
  if (serverSide === 's3' && !clientSide) return {};
  const arn = kmsKeys[clusterId];
  if (arn === undefined) {
    throw new InvalidConfiguration(`RINGVAULT_KMS_KEYS: got none of ${clusterId}, expected its KMS key`);
  }
  return {
    ...(serverSide === 'kms' && { serverSideKeyArn: arn }),
    ...(clientSide && { clientSideKeyArn: arn }),
  };
}
