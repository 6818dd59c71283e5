// check-loader: whatever refuses a load on this host, found before anything is changed.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { BackupDamaged } from '../../contracts/errors.ts';
import { mustHaveLoader } from '../cassandra/bulk-loader.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';
import { readNodeChain } from '../transfer/read-chain.ts';
import { inVaultOf } from '../transfer/source-vault.ts';

export async function checkLoader(
  context: ActionContext,
  { chains }: ActionInput<'check-loader'>,
): Promise<ActionOutput<'check-loader'>> {
  await mustBeAllowed(context);
  for (const sources of chains) await mustBeReadable(inVaultOf(context, sources), sources);
  await mustHaveLoader(context);
  return {};
}

/** Manifests whole, and that its objects can be had by the first of them. @throws BackupDamaged VaultDenied EncryptionKeyDenied */
async function mustBeReadable(
  context: ActionContext,
  sources: ActionInput<'check-loader'>['chains'][number],
): Promise<void> {
  const { header, files } = await readNodeChain(context, sources);
  for await (const { sha256, pack, variant } of files()) {
    const key = context.layout.object(header.clusterId, pack ?? sha256, variant);
    if (!(await context.store.attributes(key))) throw new BackupDamaged(`${key}: it is gone`);
    return;
  }
}
