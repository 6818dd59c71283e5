// Tables and text about runs and nodes, for stdout.
import Table from 'cli-table3';
import { whoAsked } from '../../contracts/requests.ts';
import type { RunRecord } from '../../contracts/runs.ts';
import { describeSelection } from '../../contracts/selection.ts';
import type { NodeView, RunView } from '../run-view.ts';
import { formatBytes, formatDuration, formatTime } from './format.ts';

const BORDERLESS = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
    .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'])
    .map((part) => [part, '']),
);

export function table(head: string[], rows: string[][]): string {
  const rendered = new Table({
    head,
    chars: { ...BORDERLESS, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  rendered.push(...rows);
  return rendered
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Runs that were asked for by a node have that one alone: status, figures and error are its own then. */
export function runsTable(runs: readonly RunRecord[]): string {
  return table(
    ['CLUSTER', 'RUN', 'WORKFLOW', 'KIND', 'STATUS', 'STARTED', 'TOOK', 'FILES', 'BYTES', 'UPLOADED', 'NOTE'],
    runs.map((run) => {
      const { status, files, bytes, uploadedBytes, error } = run.nodes[0] ?? run;
      return [
        run.clusterId,
        run.runId,
        workflowOf(run),
        run.kind ?? '',
        status,
        formatTime(run.startedAt),
        formatDuration(run.startedAt, run.endedAt),
        files?.toString() ?? '',
        formatBytes(bytes),
        formatBytes(uploadedBytes),
        [...(error ? [error.errorName] : []), ...notesOf(run)].join(', '),
      ];
    }),
  );
}

/** The restore workflow also undoes and releases, and plans without doing, Register also unregisters: the history says which. */
function workflowOf(run: RunRecord): string {
  if (run.workflow !== 'restore' && run.workflow !== 'register') return run.workflow;
  if (run.request['stopAfterStep']) return `restore (${run.request['stopAfterStep']} only)`;
  const { operation, dryRun } = run.request;
  const asked = typeof operation === 'string' ? operation : run.workflow;
  return dryRun === true ? `${asked} (dry run)` : asked;
}

const UNDO = { possible: 'undo possible', undone: 'undone, not released', released: 'released' } as const;

function notesOf(run: RunRecord): string[] {
  const notes: string[] = [];
  if (run.kind && run.kind !== 'snapshot') notes.push(run.kind);
  if (run.baseBackupId) notes.push(`on ${run.baseBackupId}`);
  if (run.leftOut && (run.leftOut.nodes > 0 || run.leftOut.tables > 0)) {
    notes.push(`partial: ${describeSelection(run.selection ?? {})}`);
  }
  if (run.workflow === 'restore' && run.backupId)
    notes.push(`backup ${run.backupId}${run.sourceCluster ? ` of ${run.sourceCluster}` : ''}`);
  if (run.workflow === 'restore' && run.selection) notes.push(`only ${describeSelection(run.selection)}`);
  if (run.request['online'] === true) notes.push('online');
  if (run.undo) notes.push(UNDO[run.undo]);
  if (run.restoreRunId) notes.push(`of ${run.restoreRunId}`);
  if (run.recoveredRunId) notes.push(`of ${run.recoveredRunId}`);
  if (run.warnings.length > 0) notes.push(`${run.warnings.length} warning(s)`);
  return notes;
}

function nodesTable(nodes: readonly NodeView[]): string {
  return table(
    ['INSTANCE', 'HOST ID', 'STATUS', 'PHASE', 'TOOK', 'FILES', 'BYTES', 'UPLOADED', 'ERROR'],
    nodes.map((node) => [
      node.instanceId,
      node.hostId ?? '',
      node.status,
      node.phase,
      node.startedAt ? formatDuration(node.startedAt, node.endedAt) : '',
      (node.progress?.filesDone ?? node.files)?.toString() ?? '',
      formatBytes(node.progress?.bytesDone ?? node.bytes),
      formatBytes(node.uploadedBytes),
      node.error ? `${node.error.errorName}: ${node.error.message}` : '',
    ]),
  );
}

/** A run with its nodes, warnings and how its execution stands; whoever shows it tells its error. */
export function runText(view: RunView): string {
  const { run, execution, nodes } = view;
  const lines: string[] = [];
  if (run) {
    lines.push(`${workflowOf(run)} ${run.runId} of cluster ${run.clusterId}: ${run.status}`);
    lines.push(`started    ${formatTime(run.startedAt)}${requestedBy(run)}`);
    if (run.endedAt) {
      lines.push(
        `ended      ${formatTime(run.endedAt)}, after ${formatDuration(run.startedAt, run.endedAt)}`,
      );
    }
    if (run.kind) lines.push(`kind       ${run.kind}`);
    if (run.files !== undefined) lines.push(`stored     ${run.files} files, ${formatBytes(run.bytes)}`);
    if (run.uploadedBytes !== undefined) lines.push(`uploaded   ${formatBytes(run.uploadedBytes)}`);
    if (run.failedStep) lines.push(`failed in  ${run.failedStep}`);
    if (run.pause) {
      const { applications, longestMs } = run.pause;
      lines.push(`paused     ${applications} applications, for ${(longestMs / 1_000).toFixed(1)} s at most`);
    }
    const notes = notesOf(run);
    if (notes.length > 0) lines.push(`note       ${notes.join(', ')}`);
    for (const change of run.changes ?? []) lines.push(`changed    ${change}`);
    for (const warning of run.warnings) lines.push(`warning    ${warning}`);
  }
  lines.push(`execution  ${execution?.status ?? 'no longer known to Step Functions'} ${view.executionArn}`);
  if (nodes.length > 0) lines.push('', nodesTable(nodes));
  return lines.join('\n');
}

function requestedBy(run: RunRecord): string {
  const by = whoAsked(run.request);
  if (by !== undefined) return `, requested by ${by}`;
  return typeof run.request['scheduledTime'] === 'string' ? ', by schedule' : '';
}
