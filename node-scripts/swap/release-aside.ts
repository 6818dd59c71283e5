// Deletes what a restore, or its undo, kept aside: after it there is no undo.
import { z } from 'zod';
import { parseDocument } from '../../contracts/documents.ts';
import { bytesBelow } from '../bytes-below.ts';
import { isThere, readIfThere, writeDurably } from '../durable-files.ts';
import { asideRoot, stagingRoot, undoneRoot } from '../transfer/placement.ts';
import { removeTree } from '../transfer/remove-tree.ts';
import { journalPaths, type SwapPlan, swapRoots } from './plan.ts';

const released = z.strictObject({ formatVersion: z.literal(1), freedBytes: z.int().nonnegative() });

/** The decision is durable before the first file is gone, so that no undo begins on half of them. Idempotent. */
export async function releaseAside(journals: string, plan: SwapPlan): Promise<{ freedBytes: number }> {
  const path = journalPaths(journals, plan.runId).released;
  const roots = swapRoots(plan).flatMap((root) =>
    [asideRoot, stagingRoot, undoneRoot].map((of) => of(root, plan.runId)),
  );
  if (!(await isThere(path))) {
    let freedBytes = 0;
    for (const root of roots) freedBytes += await bytesBelow(root);
    await writeDurably(path, JSON.stringify({ formatVersion: 1, freedBytes }));
  }
  for (const root of roots) await removeTree(root);
  const { freedBytes } = parseDocument(released, (await readIfThere(path)) ?? '', path);
  return { freedBytes };
}
