// The mail about a run's end: what happened, per node, and what to do next.
import { whoAsked } from '../../contracts/requests.ts';
import { BEFORE_PHASES, type NodeOutcome, type RunRecord } from '../../contracts/runs.ts';
import { describeSelection } from '../../contracts/selection.ts';
import { inOneLine } from './caught.ts';
import { bytesForPeople, durationForPeople } from './for-people.ts';

interface Mail {
  subject: string;
  text: string;
  attributes: { clusterId: string; workflow: string; status: string };
}

/** More would be cut off: SNS takes 256 KiB. */
const NODES_TOLD = 100;

export function runMail(record: RunRecord): Mail {
  const { clusterId, workflow, status } = record;
  const what = String(record.request['operation'] ?? workflow);
  const text = [
    headline(record, what),
    facts(record),
    nodes(record.nodes),
    changes(record),
    warnings(record),
    next(record, what),
  ]
    .filter((part) => part.length > 0)
    .map((part) => part.join('\n'))
    .join('\n\n');
  return {
    subject: `[ringvault] ${clusterId}: ${what} ${status} ${record.runId}`,
    text: `${text}\n`,
    attributes: { clusterId, workflow, status },
  };
}

function headline({ clusterId, status, runId, error, request }: RunRecord, what: string): string[] {
  const ended = request['stopAfterStep'] && status === 'COMPLETED';
  const line = `The ${what} ${runId} of cluster "${clusterId}" is ${status}.${ended ? ` ${ENDED_EARLY}` : ''}`;
  return error ? [line, '', `${error.errorName}: ${error.message}`] : [line];
}

const ENDED_EARLY = 'It ended after its download, as it was asked to: nothing was restored.';

function facts(record: RunRecord): string[] {
  const took = record.endedAt ? Date.parse(record.endedAt) - Date.parse(record.startedAt) : undefined;
  const lines: Array<[label: string, value: string | undefined]> = [
    ['Kind', record.kind],
    ['Started', record.startedAt],
    ['Ended', record.endedAt && `${record.endedAt} (${durationForPeople(took ?? 0)})`],
    ['Failed step', record.failedStep],
    ['Backup', record.backupId],
    ['Of cluster', record.sourceCluster],
    ['In vault', record.sourceVault],
    ['Goes on from', record.baseBackupId],
    ['Only', record.selection && describeSelection(record.selection)],
    ['Left out', leftOut(record)],
    ['Restore', record.restoreRunId],
    ['Recovered run', record.recoveredRunId],
    ['Files', record.files?.toString()],
    ['Size', record.bytes === undefined ? undefined : bytesForPeople(record.bytes)],
    ['Uploaded', record.uploadedBytes === undefined ? undefined : bytesForPeople(record.uploadedBytes)],
    ['Snapshot spread', record.snapshotSpreadMs === undefined ? undefined : `${record.snapshotSpreadMs} ms`],
    ['Applications', record.pause && pauseForPeople(record.pause)],
    ['Requested by', whoAsked(record.request)],
    ['Execution', record.executionArn],
  ];
  return lines.flatMap(([label, value]) => (value ? [`${`${label}:`.padEnd(17)}${value}`] : []));
}

function leftOut({ leftOut: lacks }: RunRecord): string | undefined {
  if (!lacks || (lacks.nodes === 0 && lacks.tables === 0)) return undefined;
  return `${lacks.nodes} ring members, ${lacks.tables} tables and views`;
}

function pauseForPeople({ applications, longestMs }: NonNullable<RunRecord['pause']>): string {
  return `${applications} paused, for ${durationForPeople(longestMs)} at most`;
}

function nodes(outcomes: readonly NodeOutcome[]): string[] {
  if (outcomes.length === 0) return [];
  const failedFirst = [...outcomes].sort((one, other) => Number(!one.error) - Number(!other.error));
  const told = failedFirst.slice(0, NODES_TOLD).map(nodeLine);
  const rest = outcomes.length - told.length;
  return ['Nodes:', ...told, ...(rest > 0 ? [`  … and ${rest} more`] : [])];
}

/** What became of a node, in words. */
function nodeLine(node: NodeOutcome): string {
  const { instanceId, hostId, startedAt, endedAt } = node;
  const took =
    startedAt && endedAt
      ? `, after ${durationForPeople(Math.max(0, Date.parse(endedAt) - Date.parse(startedAt)))}`
      : '';
  return `  ${instanceId}${hostId ? ` (host ID ${hostId})` : ''}: ${outcomeInWords(node)}${took}${causeOf(node)}`;
}

function outcomeInWords({ status, phase, files, bytes, uploadedBytes }: NodeOutcome): string {
  if (status === 'FAILED') return `FAILED in ${phase}`;
  if (status === 'CANCELLED') {
    return phase !== BEFORE_PHASES
      ? `CANCELLED in ${phase}, because the run ended`
      : 'CANCELLED before it was begun';
  }
  const figures = [
    ...(files === undefined ? [] : [`${files} files`]),
    ...(bytes === undefined ? [] : [bytesForPeople(bytes)]),
    ...(uploadedBytes === undefined ? [] : [`of which ${bytesForPeople(uploadedBytes)} were uploaded`]),
  ];
  return `${status} its ${phase}${figures.length > 0 ? `: ${figures.join(', ')}` : ''}`;
}

function causeOf({ error }: NodeOutcome): string {
  return error ? `: ${inOneLine(error)}` : '';
}

function changes({ changes: seen = [] }: RunRecord): string[] {
  return seen.length === 0 ? [] : ['Changed since it was last seen:', ...seen.map((each) => `  - ${each}`)];
}

function warnings(record: RunRecord): string[] {
  return record.warnings.length === 0 ? [] : ['Warnings:', ...record.warnings.map((each) => `  - ${each}`)];
}

function next(
  { clusterId, backupId, runId, status, error, undo, restoreRunId, request }: RunRecord,
  what: string,
): string[] {
  if (error) return ['What to do now:', `  ${error.hint}`];
  if (status !== 'COMPLETED') return ['What to do now:', `  Start a new ${what} when you are ready.`];
  if (request['stopAfterStep']) {
    return [
      'To go on with what was downloaded, name the backup: a newer one may be the latest by then.',
      `  ringvault restore ${clusterId} --backup ${backupId}`,
    ];
  }
  if (what === 'backup') return ['To restore it:', `  ringvault restore ${clusterId} --backup ${backupId}`];
  if (what === 'restore' && undo === 'possible' && !request['dryRun']) {
    return [
      'The data from before is kept aside on the hosts. Once you are content, delete it:',
      `  ringvault release ${clusterId} ${runId}`,
      'or bring it back:',
      `  ringvault undo ${clusterId} ${runId}`,
    ];
  }
  if (what === 'undo') {
    return [
      'What the restore had placed, and what was written since, is kept aside on the hosts. Once nobody needs it, delete it:',
      `  ringvault release ${clusterId} ${restoreRunId}`,
    ];
  }
  return [];
}
