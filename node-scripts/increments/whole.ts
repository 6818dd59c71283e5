// Whether an SSTable under backups/ is whole. Cassandra links its components one after another, in no order, and may pause
// between any two.
import { readFileSync } from 'node:fs';
import { parseFileName, requiredComponents } from '../cassandra/sstable-files.ts';
import { fileOf, keyIfThere, type PlacedSSTable } from './places.ts';

/** What there is of an SSTable besides the live one: linked, collected, or in parts both, where a move was interrupted. */
export interface Candidate {
  parts: PlacedSSTable[];
  live: PlacedSSTable | undefined;
}

/** The same as long as no component comes, goes or changes. */
export function signatureOf({ parts }: Candidate): string {
  const files = parts.flatMap((part) =>
    part.components.map((component) => `${component} ${keyIfThere(fileOf(part, component))}`),
  );
  return files.sort().join('\n');
}

/** @param settled since an earlier look nothing of it changed */
export function isWhole({ parts, live }: Candidate, settled: boolean): boolean {
  const [first] = parts;
  const components = new Set(parts.flatMap((part) => part.components));
  const parsed = first && parseFileName(`${first.stem.slice(first.stem.lastIndexOf('/') + 1)}x`);
  const has = (needed: readonly string[]) => needed.every((component) => components.has(component));
  if (!parsed || !has(requiredComponents(parsed.kind))) return false;
  const toc = parts.find((part) => part.components.includes('TOC.txt'));
  if (!toc) {
    // Received whole by streaming. The live one, where it is not compacted yet, has all there is to be linked.
    return live ? has(live.components) || (settled && has(live.components.filter(isOfTable))) : settled;
  }
  const listed = readFileSync(fileOf(toc, 'TOC.txt'), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((component) => component !== '');
  // An index made since was added to the linked TOC, and its components are not linked.
  return has(listed) || (settled && has(listed.filter(isOfTable)));
}

const isOfTable = (component: string) => !component.startsWith('SAI+');
