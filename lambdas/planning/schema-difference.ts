// How the live schema differs from a backup's: what must be re-created, and what would make restored data wrong. Pure.
import type { SchemaStatement, SchemaTable, SchemaView } from '../../contracts/ring.ts';
import { columnConflicts, statementConflicts } from './schema-conflicts.ts';

export interface SchemaDifference {
  /** Of the backup, in its order, which can be applied one by one. */
  statements: SchemaStatement[];
  /** Each refuses the restore. */
  conflicts: string[];
  warnings: string[];
  /** User tables that are not restored, and stay as they are. */
  liveOnly: string[];
  /** Tables and views of the backup that are gone, with their IDs. */
  missing: string[];
}

export function compareSchemas(backup: SchemaView, live: SchemaView): SchemaDifference {
  const liveKeys = new Set(live.statements.map(statementKey));
  const { conflicts, warnings } = statementConflicts(backup, live);
  for (const table of backup.tables) {
    const found = compareTable(table, live);
    conflicts.push(...found.conflicts);
    warnings.push(...found.warnings);
  }
  const backedUp = new Set(backup.tables.map((table) => table.id));
  const names = new Set(backup.tables.map(fullName));
  const liveOnly = live.tables.filter((table) => !backedUp.has(table.id) && !names.has(fullName(table)));
  for (const table of liveOnly) {
    const base = `${table.keyspace}.${table.baseTable}`;
    if (table.kind === 'view' && names.has(base)) {
      conflicts.push(`view ${fullName(table)} on ${base} is not in the backup and would not follow its data`);
    }
  }
  const plain = liveOnly.filter((table) => table.kind === 'table').map(fullName);
  if (plain.length > 0) warnings.push(`not restored, left as they are: ${plain.join(', ')}`);
  const statements = backup.statements.filter((statement) => !liveKeys.has(statementKey(statement)));
  const taken = new Set(live.tables.flatMap((table) => [table.id, fullName(table)]));
  const missing = backup.tables
    .filter((table) => !taken.has(table.id) && !taken.has(fullName(table)))
    .map((table) => `${table.kind} ${fullName(table)} (ID ${table.id})`);
  return { statements, conflicts, warnings, liveOnly: liveOnly.map(fullName), missing };
}

function compareTable(
  table: SchemaTable,
  live: SchemaView,
): Pick<SchemaDifference, 'conflicts' | 'warnings'> {
  const name = fullName(table);
  const byId = live.tables.find((each) => each.id === table.id);
  const byName = live.tables.find((each) => fullName(each) === name);
  if (byName && byName.id !== table.id) {
    const conflict = `${table.kind} ${name} has ID ${byName.id}, in the backup ${table.id}: it was dropped and created again`;
    return { conflicts: [conflict], warnings: [] };
  }
  if (byId && fullName(byId) !== name) {
    return { conflicts: [`ID ${table.id} is ${fullName(byId)}, in the backup ${name}`], warnings: [] };
  }
  if (!byId) return { conflicts: [], warnings: [] };
  const columns = columnConflicts(table, byId);
  return { ...columns, conflicts: [...columns.conflicts, ...indexConflicts(table, byId)] };
}

/** An index that the backup lacks would answer from before the restore; one that it has otherwise would be wrong. */
function indexConflicts(backup: SchemaTable, live: SchemaTable): string[] {
  return live.indexes.flatMap((index) => {
    const same = backup.indexes.find((each) => each.name === index.name);
    if (!same) return [`index ${live.keyspace}.${index.name} on ${live.name} is not in the backup`];
    const changed = (['kind', 'target', 'className'] as const).filter(
      (field) => same[field] !== index[field],
    );
    return changed.map(
      (field) =>
        `index ${live.keyspace}.${index.name} has ${field} ${index[field]}, in the backup ${same[field]}`,
    );
  });
}

function fullName({ keyspace, name }: Pick<SchemaTable, 'keyspace' | 'name'>): string {
  return `${keyspace}.${name}`;
}

function statementKey({ keyspace, type, name }: SchemaStatement): string {
  return JSON.stringify([keyspace, type, name]);
}
