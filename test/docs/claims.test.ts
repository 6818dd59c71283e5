// What the pages name in code is there: files, commands, and every field of a persisted document.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { buildProgram } from '../../cli/program.ts';
import { processTerminal } from '../../cli/terminal.ts';
import { clusterManifest, listedFile, nodeHeader } from '../../contracts/manifests.ts';
import { ringNode, ringView, schemaStatement, schemaTable, schemaView } from '../../contracts/ring.ts';
import { nodeOutcome, runRecord } from '../../contracts/runs.ts';

const pages = globSync(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/*.md', 'docs/reference/*.md']);
const read = (page: string) => readFileSync(page, 'utf8');
const matches = (page: string, pattern: RegExp) =>
  [...read(page).matchAll(pattern)].map(([, name = '']) => name);

const commands = buildProgram(processTerminal(), async () => {}).commands.map((each) => each.name());

describe.each(pages)('%s', (page) => {
  it('names files that there are', () => {
    const named = matches(
      page,
      /`((?:adapters|cli|contracts|docs|infra|lambdas|local|node-scripts|test)\/[\w./-]*)`/g,
    );
    expect(named.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('names commands that `ringvault` has', () => {
    const named = matches(page, /(?:`|npx )ringvault ([a-z]+)/g);
    expect(named.filter((name) => !commands.includes(name))).toEqual([]);
  });
});

describe('docs/storage-format.md explains every field of', () => {
  const named = new Set(
    matches('docs/storage-format.md', /`([^`\n]+)`/g).flatMap((each) => each.split(/[.[\]]+/)),
  );

  it.each<[string, z.ZodObject]>([
    ['the listing', listedFile],
    ['the node header', nodeHeader],
    ['the cluster manifest', clusterManifest],
    ['the ring', ringView],
    ['a node of the ring', ringNode],
    ['the schema', schemaView],
    ['a table of the schema', schemaTable],
    ['a statement of the schema', schemaStatement],
    ['the run record', runRecord],
    ['a node in the run record', nodeOutcome],
  ])('%s', (_what, schema) => {
    expect(Object.keys(schema.shape).filter((field) => !named.has(field))).toEqual([]);
  });
});
