// The vault that a node's part of a backup lies in: that of the run, or another one.
import type { BackupSource } from '../../contracts/actions.ts';
import { vaultLayout } from '../../contracts/layout.ts';
import type { ActionContext } from '../context.ts';

/** The same context with what reads that vault; a chain lies in one. */
export function inVaultOf<Context extends Pick<ActionContext, 'store' | 'layout' | 'openVault' | 'vault'>>(
  context: Context,
  [source]: readonly BackupSource[],
): Context {
  const place = source?.vault;
  if (!place) return context;
  const { bucket, region, prefix, kmsRegions } = place;
  const vault = context.vault && { vault: { bucket, region, ...(kmsRegions && { kmsRegions }) } };
  return { ...context, store: context.openVault(place), layout: vaultLayout(prefix), ...vault };
}
