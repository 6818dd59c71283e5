// The SSM documents: what a command may carry, and that their scripts install once and start always.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asText, resourcesOf } from './synthesized.ts';

interface Step {
  action: string;
  name: string;
  inputs: { runCommand?: unknown[]; sourceInfo?: unknown; onFailure?: string };
}
interface Content {
  schemaVersion: string;
  parameters: Record<string, { allowedPattern: string }>;
  mainSteps: Step[];
}

const documents = resourcesOf('AWS::SSM::Document').map(
  ([id, { Properties }]) => [id, Properties['Content'] as Content] as const,
);
const RUN = '20261121t020000z-0a1b2c3d';
const INSTANCE = 'i-0123456789abcdef0';

/** A step's script with everything filled in, as the agent writes it. */
function script(step: Step | undefined): string {
  return (step?.inputs.runCommand ?? [])
    .map(asText)
    .join('\n')
    .replaceAll('<AWS::Partition>', 'aws')
    .replaceAll('<AWS::Region>', 'eu-west-1')
    .replaceAll('<AWS::AccountId>', '111122223333')
    .replaceAll('{{ runId }}', RUN)
    .replaceAll('{{ actionId }}', `${RUN}.prepare`);
}

const scripts = documents.flatMap(([id, { mainSteps }]) =>
  mainSteps
    .filter(({ action }) => action === 'aws:runShellScript')
    .map((step) => [`${id} ${step.name}`, script(step)] as const),
);

it('take identifiers alone, each guarded by its pattern', () => {
  for (const [, { schemaVersion, parameters }] of documents) {
    expect(schemaVersion).toBe('2.2');
    expect(Object.keys(parameters)).toEqual(['runId', 'actionId']);
    expect(RUN).toMatch(new RegExp(`^(?:${parameters['runId']?.allowedPattern})$`));
    for (const evil of [`${RUN}'; true '`, `${RUN}.a\nb`, '$(true)', '']) {
      for (const { allowedPattern } of Object.values(parameters)) {
        expect(evil).not.toMatch(new RegExp(`^(?:${allowedPattern})$`));
      }
    }
  }
});

describe.each(scripts)('the script %s', (_, text) => {
  it('is bash that stops at the first failure', () => {
    expect(text.split('\n')[0]).toBe('#!/usr/bin/env bash');
    expect(text).toContain('set -euo pipefail');
    expect(spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  it('has every placeholder filled', () => {
    expect(text).not.toMatch(/@[A-Z0-9_]+@|\{\{|<AWS/);
  });
});

describe('prepare', () => {
  const [, prepare] = documents.find(([id]) => id.includes('PrepareX64')) ?? ['', undefined];
  const [startIfInstalled, download, installAndStart] = prepare?.mainSteps ?? [];
  let root: string;
  let cwd: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'ringvault-host-'));
    cwd = join(root, 'downloads');
    mkdirSync(cwd);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  /** An archive whose `node` writes down what it was called with. */
  function archive(name = 'downloaded'): { path: string; digest: string } {
    const content = join(root, 'content');
    mkdirSync(join(content, 'bin'), { recursive: true });
    writeFileSync(join(content, 'bin/node'), `#!/bin/sh\necho "$@" >> '${join(root, 'calls')}'\n`);
    chmodSync(join(content, 'bin/node'), 0o755);
    writeFileSync(join(content, 'host.mjs'), '');
    const path = join(cwd, name);
    execFileSync('tar', ['-czf', path, '-C', content, 'bin', 'host.mjs']);
    return { path, digest: createHash('sha256').update(readFileSync(path)).digest('hex') };
  }

  function run(step: Step | undefined, digest: string): { status: number | null; stderr: string } {
    const text = script(step)
      .replace(/digest='[0-9a-f]{64}'/, `digest='${digest}'`)
      .replace(/archive="\$PWD\/[^"]+"/, 'archive="$PWD/downloaded"');
    const env = { PATH: process.env['PATH'], RINGVAULT_HOST_ROOT: root, AWS_SSM_INSTANCE_ID: INSTANCE };
    return spawnSync('bash', [], { input: text, encoding: 'utf8', cwd, env });
  }

  const calls = () =>
    existsSync(join(root, 'calls')) ? readFileSync(join(root, 'calls'), 'utf8').trim().split('\n') : [];

  it('downloads only where nothing is installed, and stops where it cannot', () => {
    expect(startIfInstalled?.inputs.onFailure).toBe('successAndExit');
    expect(download?.inputs.onFailure).toBe('exit');
    const { digest } = archive();
    expect(run(startIfInstalled, digest).status).toBe(0);
    expect(run(installAndStart, digest)).toMatchObject({ status: 0, stderr: '' });
    expect(existsSync(join(root, 'var/lib/ringvault/bundles', digest, 'bin/node'))).toBe(true);
    // Installed: the action is started and the document ends.
    expect(run(startIfInstalled, digest).status).toBe(1);
    expect(calls()).toHaveLength(2);
    expect(new Set(calls()).size).toBe(1);
    expect(calls()[0]).toContain(
      `--instance-arn arn:aws:ec2:eu-west-1:111122223333:instance/${INSTANCE} --run-id ${RUN} --action-id ${RUN}.prepare`,
    );
  });

  it('refuses an archive that is not what was deployed', () => {
    archive();
    const { status, stderr } = run(installAndStart, 'f'.repeat(64));
    expect(status).toBe(1);
    expect(stderr).toContain('is not what was deployed');
    expect(existsSync(join(root, 'var/lib/ringvault/bundles'))).toBe(false);
  });

  it('installs again what does not start any more', () => {
    const { digest } = archive();
    mkdirSync(join(root, 'var/lib/ringvault/bundles', digest), { recursive: true });
    expect(run(startIfInstalled, digest).status).toBe(0);
    expect(run(installAndStart, digest).status).toBe(0);
    expect(calls()).toHaveLength(1);
  });

  it('delivered twice installs once and starts twice', () => {
    const { path, digest } = archive();
    cpSync(path, join(root, 'again'));
    expect(run(installAndStart, digest).status).toBe(0);
    cpSync(join(root, 'again'), path);
    expect(run(installAndStart, digest).status).toBe(0);
    expect(calls()).toHaveLength(2);
    expect(existsSync(join(cwd, 'downloaded'))).toBe(false);
  });
});
