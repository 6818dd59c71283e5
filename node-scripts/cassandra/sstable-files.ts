// What the names of an SSTable's files say (org.apache.cassandra.io.sstable.Descriptor).

export interface SSTableFile {
  /** "nb-12-big-", what all components of one SSTable begin with. */
  prefix: string;
  /** "nb". */
  format: string;
  /** "big" or "bti". */
  kind: string;
  /** "Data.db", "SAI+aa+GroupMeta.db". */
  component: string;
}

/** Undefined for what is no component of an SSTable. */
export function parseFileName(name: string): SSTableFile | undefined {
  const match = /^(([a-z]{2})-[0-9a-z_]+-(big|bti)-)(.+)$/.exec(name);
  if (!match) return undefined;
  return { prefix: match[1] ?? '', format: match[2] ?? '', kind: match[3] ?? '', component: match[4] ?? '' };
}

/** `<table>-<32 hex digits>` → its parts; undefined for what is no table's directory. */
export function parseTableDirectory(name: string): { table: string; tableId: string } | undefined {
  const match = /^(.+)-([0-9a-f]{32})$/.exec(name);
  return match ? { table: match[1] ?? '', tableId: match[2] ?? '' } : undefined;
}

/** Without these Cassandra does not open an SSTable, whether or not there is a TOC.txt. */
export function requiredComponents(kind: string): string[] {
  return kind === 'bti'
    ? ['Data.db', 'Partitions.db', 'Statistics.db']
    : ['Data.db', 'Index.db', 'Statistics.db'];
}

/** Written by Cassandra for each snapshot, not data: schema.json of the backup says more, and these change each time. */
export function isBesideData(name: string): boolean {
  return name === 'manifest.json' || name === 'schema.cql';
}
