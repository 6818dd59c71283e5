// Writing XML answers, and reading the few elements that requests carry.

export function escapeXml(text: string): string {
  return (
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      // A carriage return would be read back as a line feed.
      .replaceAll('\r', '&#13;')
  );
}

export function unescapeXml(text: string): string {
  return text
    .replaceAll(/&#x([0-9a-f]+);/gi, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
}

export function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`;
}

/** The content for a value: objects by field, lists as `<member>`, Maps as `<entry>`, Dates as ISO text. */
export function xmlOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Map) {
    return [...value]
      .map(([key, item]) => element('entry', element('key', xmlOf(key)) + element('value', xmlOf(item))))
      .join('');
  }
  if (Array.isArray(value)) return value.map((item) => element('member', xmlOf(item))).join('');
  if (typeof value === 'object') {
    return Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([name, item]) => element(name, xmlOf(item)))
      .join('');
  }
  return escapeXml(String(value));
}
