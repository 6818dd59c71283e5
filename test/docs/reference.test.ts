import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { referencePages } from '../../docs/generate.ts';

describe('docs/reference', () => {
  it.each([...referencePages()])('%s is what `npm run generate` writes', async (name, content) => {
    const stored = await readFile(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8');
    expect(stored).toBe(content);
  });
});
