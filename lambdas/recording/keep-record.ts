// A run's record is written once to the vault; the catalog gets what stands there.
import { mergedWarnings } from '../../adapters/catalog-items.ts';
import type { RunRecord } from '../../contracts/runs.ts';
import { runRecord } from '../../contracts/runs.ts';
import { readDocument, serialize } from '../vault/documents.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

export const mergeWarnings = mergedWarnings;

/** @returns the record as it stands: of an earlier try, or of an earlier end, if there is one */
export async function keepRecord(
  ports: Pick<StepPorts, 'vault' | 'layout' | 'catalog'>,
  record: RunRecord,
): Promise<RunRecord> {
  const key = ports.layout.runRecord(record.clusterId, record.runId);
  const body = serialize(runRecord.parse(record));
  const written = await ports.vault.put(key, body, 'create');
  const kept = written === 'created' ? record : await readDocument(ports, key, runRecord);
  await ports.catalog.putEndedRun(kept);
  return kept;
}
