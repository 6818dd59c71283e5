import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { displayFor } from '../../cli/render/display.ts';
import type { NodeView, RunView } from '../../cli/run-view.ts';
import { processTerminal } from '../../cli/terminal.ts';
import { arnOf, INSTANCE, RUN, record } from './stage.ts';

const uploading: NodeView = {
  instanceId: INSTANCE,
  status: 'STARTED',
  phase: 'upload',
  progress: {
    formatVersion: 1,
    runId: RUN,
    phase: 'upload',
    state: 'running',
    filesDone: 7,
    filesTotal: 9,
    bytesDone: 2048,
    bytesTotal: 4096,
    bytesSkipped: 1024,
    bytesHashed: 1024,
    bytesTransferred: 1024,
    requestsRetried: 0,
    bytesPerSecond: 512,
    secondsLeft: 4,
    updatedAt: '2026-11-21T02:00:01.000Z',
  },
};

/** What a terminal gets to see while a view is shown. */
function drawn(nodes: NodeView[]): string {
  const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 160 });
  const display = displayFor({ ...processTerminal(), interactive: true, stderr });
  const view: RunView = { executionArn: arnOf('backup'), execution: undefined, run: record(), nodes };
  display.show(view);
  display.close();
  return String(stderr.read());
}

it('draws a bar a node: phase, files, bytes', () => {
  const lines = drawn([
    uploading,
    { instanceId: 'i-00000000000000001', status: 'COMPLETED', phase: 'upload' },
  ]);
  expect(lines).toMatch(
    /i-0123456789abcdef0 {2}█{12}░{12} {2}upload +running {2}7 of 9 files {2}2\.0 KiB of 4\.0 KiB {2}512 B\/s {2}4s left/,
  );
  expect(lines).toMatch(/i-00000000000000001 {2}█{24} {2}upload +COMPLETED/);
});

it('draws one bar for a cluster of many nodes', () => {
  const nodes = Array.from(
    { length: 1000 },
    (_, index): NodeView => ({
      instanceId: `i-${String(index).padStart(17, '0')}`,
      status: index < 250 ? 'COMPLETED' : 'STARTED',
      phase: 'upload',
    }),
  );
  const lines = drawn(nodes);
  expect(lines).toMatch(/nodes {2}█{6}░{18} {2}upload COMPLETED 250, upload STARTED 750/);
  expect(lines).not.toContain('i-00');
});

it('Ctrl-C aborts what can be interrupted, and nothing else', async () => {
  const others = process.listenerCount('SIGINT');
  const ended = await processTerminal().interruptible(async (signal) => {
    process.emit('SIGINT');
    return signal.aborted;
  });
  expect(ended).toBe(true);
  expect(process.listenerCount('SIGINT')).toBe(others);
});

it('tells a line a node where there is no terminal, when its phase, files or bytes have changed', () => {
  const notes: string[] = [];
  const note = (line: string) => void notes.push(line);
  const display = displayFor({ ...processTerminal(), interactive: false, note });
  const show = (filesDone: number, bytesDone: number) => {
    const node = {
      ...uploading,
      progress: uploading.progress && { ...uploading.progress, filesDone, bytesDone },
    };
    display.show({ nodes: [node] });
  };
  show(7, 2048);
  show(7, 2048);
  show(9, 4096);
  expect(notes).toEqual([
    `${INSTANCE}  upload          running  7 of 9 files  2.0 KiB of 4.0 KiB`,
    `${INSTANCE}  upload          running  9 of 9 files  4.0 KiB of 4.0 KiB`,
  ]);
});
