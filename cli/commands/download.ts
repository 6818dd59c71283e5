// `ringvault download <cluster> --to <directory>`: files of a backup, without Cassandra and without a run.
import type { Answer } from '../answer.ts';
import { EXIT_INTERRUPTED } from '../answer.ts';
import type { Session } from '../deployment.ts';
import type { Downloaded, DownloadRequest } from '../download/download-files.ts';
import { requireBackup } from '../lookup.ts';
import { displayFor } from '../render/display.ts';
import { formatBytes, formatTime } from '../render/format.ts';
import { table } from '../render/tables.ts';

interface DownloadOptions extends Omit<DownloadRequest, 'clusterId' | 'backupId'> {
  /** A backup ID or "latest". */
  backup: string;
}

/** @throws UnknownCluster UnknownBackup NoBackup, as downloadFiles */
export async function download(
  { deployment, terminal }: Session,
  clusterId: string,
  { backup, ...chosen }: DownloadOptions,
): Promise<Answer> {
  const { backupId } = await requireBackup(deployment, clusterId, backup);
  // Late, so that no other command waits for what hosts work with.
  const { downloadFiles } = await import('../download/download-files.ts');
  const request: DownloadRequest = { ...chosen, clusterId, backupId };
  return terminal.interruptible(async (signal) => {
    const display = displayFor(terminal);
    try {
      return answerOf(await downloadFiles(deployment, request, (nodes) => display.show({ nodes }), signal));
    } catch (error) {
      if (!signal.aborted) throw error;
      return interrupted(request);
    } finally {
      display.close();
    }
  });
}

function interrupted({ clusterId, backupId, to }: DownloadRequest): Answer {
  return {
    document: { clusterId, backupId, directory: to, download: 'interrupted' },
    text: `Stopped. The same command with --backup ${backupId} goes on where it was.`,
    exitCode: EXIT_INTERRUPTED,
  };
}

function answerOf({ manifest, directory, nodes, warnings }: Downloaded): Answer {
  const { clusterId, backupId, kind, snapshotAt } = manifest;
  const sum = (field: 'files' | 'bytes' | 'downloadedBytes' | 'damagedFiles') =>
    nodes.reduce((total, node) => total + node[field], 0);
  const totals = { files: sum('files'), bytes: sum('bytes'), downloadedBytes: sum('downloadedBytes') };
  const all = [...warnings, ...damageOf(sum('damagedFiles'))];
  const text = [
    `Backup ${backupId} of cluster ${clusterId}, its data as of ${formatTime(snapshotAt)}, in ${directory}:`,
    `${totals.files} files, ${formatBytes(totals.bytes)}; ${formatBytes(totals.downloadedBytes)} downloaded, the rest was there`,
    ...all.map((warning) => `warning: ${warning}`),
    '',
    table(
      ['INSTANCE', 'HOST ID', 'DATA DIRECTORIES', 'FILES', 'BYTES', 'DOWNLOADED'],
      nodes.map((node) => [
        ...[node.instanceId, node.hostId, node.dataDirectories.join(', '), node.files.toString()],
        ...[formatBytes(node.bytes), formatBytes(node.downloadedBytes)],
      ]),
    ),
  ].join('\n');
  return { document: { clusterId, backupId, kind, directory, ...totals, warnings: all, nodes }, text };
}

function damageOf(files: number): string[] {
  return files > 0
    ? [`${files} files had rotted on their disk when they were stored, and are as they were`]
    : [];
}
