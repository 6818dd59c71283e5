// Which SSTable formats a Cassandra reads (org.apache.cassandra.io.sstable.format.big.BigFormat and bti.BtiFormat).

const BEFORE_5 = ['mc', 'md', 'me', 'na', 'nb'];

/**
 * @param version e.g. "5.0.9"
 * @param compatibilityMode of cassandra.yaml; 5.0 reads no newer format in its default, CASSANDRA_4
 */
export function readableFormats(version: string, compatibilityMode: string | undefined): string[] {
  const major = Number.parseInt(version, 10);
  if (major < 4) return ['mc', 'md', 'me'];
  const newer = major >= 5 && ['NONE', 'UPGRADING'].includes(compatibilityMode ?? 'CASSANDRA_4');
  return newer ? [...BEFORE_5, 'oa', 'da'] : BEFORE_5;
}
