// The mail about a run's end: what happened, per node, and what to do next.
import { whoAsked } from '../../contracts/requests.ts';
import type { NodeOutcome, RunRecord } from '../../contracts/runs.ts';
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

function headline({ clusterId, status, runId, error }: RunRecord, what: string): string[] {
  const line = `The ${what} ${runId} of cluster "${clusterId}" is ${status}.`;
  return error ? [line, '', `${error.errorName}: ${error.message}`] : [line];
}

function facts(record: RunRecord): string[] {
  const took = record.endedAt ? Date.parse(record.endedAt) - Date.parse(record.startedAt) : undefined;
  const lines: Array<[label: string, value: string | undefined]> = [
    ['Started', record.startedAt],
    ['Ended', record.endedAt && `${record.endedAt} (${durationForPeople(took ?? 0)})`],
    ['Backup', record.backupId],
    ['Restore', record.restoreRunId],
    ['Recovered run', record.recoveredRunId],
    ['Files', record.files?.toString()],
    ['Size', record.bytes === undefined ? undefined : bytesForPeople(record.bytes)],
    ['Uploaded', record.uploadedBytes === undefined ? undefined : bytesForPeople(record.uploadedBytes)],
    ['Snapshot spread', record.snapshotSpreadMs === undefined ? undefined : `${record.snapshotSpreadMs} ms`],
    ['Requested by', whoAsked(record.request)],
    ['Execution', record.executionArn],
  ];
  return lines.flatMap(([label, value]) => (value === undefined ? [] : `${`${label}:`.padEnd(17)}${value}`));
}

function nodes(outcomes: readonly NodeOutcome[]): string[] {
  if (outcomes.length === 0) return [];
  const failedFirst = [...outcomes].sort((one, other) => Number(!one.error) - Number(!other.error));
  const told = failedFirst.slice(0, NODES_TOLD).map(nodeLine);
  const rest = outcomes.length - told.length;
  return ['Nodes:', ...told, ...(rest > 0 ? [`  … and ${rest} more`] : [])];
}

function nodeLine({ instanceId, status, phase, files, bytes, uploadedBytes, error }: NodeOutcome): string {
  const parts = [
    `${status} (${phase})`,
    ...(files === undefined ? [] : [`${files} files`]),
    ...(bytes === undefined ? [] : [bytesForPeople(bytes)]),
    ...(uploadedBytes === undefined ? [] : [`${bytesForPeople(uploadedBytes)} uploaded`]),
    ...(error ? [inOneLine(error)] : []),
  ];
  return `  ${instanceId}  ${parts.join(', ')}`;
}

function warnings(record: RunRecord): string[] {
  return record.warnings.length === 0 ? [] : ['Warnings:', ...record.warnings.map((each) => `  - ${each}`)];
}

function next(
  { clusterId, backupId, runId, status, error, undo, request }: RunRecord,
  what: string,
): string[] {
  if (error) return ['What to do now:', `  ${error.hint}`];
  if (status !== 'COMPLETED') return ['What to do now:', `  Start a new ${what} when you are ready.`];
  if (what === 'backup') return ['To restore it:', `  ringvault restore ${clusterId} --backup ${backupId}`];
  if (what === 'restore' && undo === 'possible' && !request['dryRun']) {
    return [
      'The data from before is kept aside on the hosts. Once you are content, delete it:',
      `  ringvault release ${clusterId} ${runId}`,
      'or bring it back:',
      `  ringvault undo ${clusterId} ${runId}`,
    ];
  }
  return [];
}
