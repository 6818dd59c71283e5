// CQL text in its parts, as far as the statements of a schema need it: used by the host, which applies them, and by the plan.

const TOKEN =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$[\s\S]*?\$\$|--[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\w+|\s+|[\s\S]/gi;

/** Texts, quoted names, bodies, comments, UUIDs, words, white space, and any other character: together the whole text. */
export function cqlTokens(text: string): string[] {
  return [...text.matchAll(TOKEN)].map(([token]) => token);
}

/** A comment may say anything: the statement with its texts empty. */
export const withoutTexts = (statement: string) => statement.replaceAll(/'(?:[^']|'')*'/g, "''");

/** A name as the schema tables hold it: DESCRIBE quotes those that need it. */
export function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
