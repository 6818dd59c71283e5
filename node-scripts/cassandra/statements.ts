// CQL text as far as a schema's own statements need it: where one statement ends, and which ID a table is made with.

import { cqlTokens, unquoted } from '../../contracts/cql.ts';

/** Splits at the semicolons outside quotes, dollar-quoted bodies and comments; empty statements are dropped. */
export function splitStatements(text: string): string[] {
  const statements: string[] = [];
  let current = '';
  for (const part of cqlTokens(text)) {
    if (part === ';') {
      statements.push(current.trim());
      current = '';
    } else {
      current += part;
    }
  }
  statements.push(current.trim());
  return statements.filter((statement) => statement !== '');
}

/** Of a `CREATE TABLE … WITH ID = …` or a view's; 32 hex digits. */
export function tableIdIn(statement: string): string | undefined {
  const outside = statement.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"/g, '_');
  return /\bWITH\s+ID\s*=\s*([0-9a-f-]{36})/i.exec(outside)?.[1]?.replaceAll('-', '').toLowerCase();
}

/** Of `ALTER TABLE … DROP column …` or `… ADD column …`, as DESCRIBE writes them. */
export function columnChangeIn(statement: string): { kind: 'drop' | 'add'; column: string } | undefined {
  const name = '(?:"(?:[^"]|"")*"|\\w+)';
  const change = new RegExp(`^ALTER\\s+TABLE\\s+${name}\\.${name}\\s+(DROP|ADD)\\s+(${name})`, 'i');
  const [, kind, column] = change.exec(statement) ?? [];
  if (!kind || !column) return undefined;
  return { kind: kind.toUpperCase() === 'DROP' ? 'drop' : 'add', column: unquoted(column) };
}
