// Brings files of a backup from the vault to a directory, in this process, and nothing else: no host and no run takes part, and the cluster is not locked.
import { NothingSelected } from '../../contracts/errors.ts';
import type { ClusterManifest } from '../../contracts/manifests.ts';
import type { TablePatterns } from '../../contracts/selection.ts';
import { readBackup } from '../../lambdas/planning/restorable-backup.ts';
import { UNLIMITED } from '../../node-scripts/host-limits.ts';
import { progressReporter } from '../../node-scripts/progress.ts';
import { fetchFiles } from '../../node-scripts/transfer/fetch-files.ts';
import type { Deployment } from '../deployment.ts';
import type { NodeView } from '../run-view.ts';
import { type ChosenNode, chosenFiles, chosenNodes } from './chosen.ts';
import { type DownloadDirectory, openDirectory } from './directory.ts';
import { readDocuments } from './documents.ts';
import { mustBeFree, mustFit, type PlannedNode, planNode } from './plan.ts';

/** As a restore has by default on each host; threads that receive, hash and write. */
const OBJECTS_AT_ONCE = 8;
const THREADS = 2;

export interface DownloadRequest extends TablePatterns {
  clusterId: string;
  backupId: string;
  to: string;
  nodes?: string[];
  /** Of the path in the listing. */
  prefix?: string;
  /** Of an incremental backup its base alone. */
  snapshotOnly: boolean;
}

export interface DownloadedNode extends Pick<PlannedNode, 'hostId' | 'instanceId' | 'dataDirectories'> {
  files: number;
  bytes: number;
  /** Of `bytes`; the rest was there. */
  downloadedBytes: number;
  damagedFiles: number;
}

export interface Downloaded {
  manifest: ClusterManifest;
  /** Absolute. */
  directory: string;
  nodes: DownloadedNode[];
  warnings: string[];
}

/** What is shown while it goes on, of all nodes. */
type Show = (nodes: NodeView[]) => void;

/** @throws UnknownBackup NothingSelected DirectoryUnusable FileInTheWay InsufficientSpace BackupDamaged */
export async function downloadFiles(
  deployment: Deployment,
  request: DownloadRequest,
  show: Show,
  signal: AbortSignal,
): Promise<Downloaded> {
  const { clusterId, backupId, nodes: wanted, prefix, snapshotOnly, include, exclude } = request;
  const ports = { vault: deployment.store, layout: deployment.layout };
  const backup = await readBackup(ports, clusterId, backupId, snapshotOnly);
  const { manifest } = backup;
  const nodes = chosenNodes(backup, wanted);
  const chosen = chosenFiles(backup, { prefix, include, exclude });
  const views = viewsOf(nodes, show);
  const directory = await openDirectory(request.to);
  try {
    const documents = await readDocuments(ports, manifest);
    for (const [name, body] of documents) await directory.mustHoldOrLack(name, body);
    const context = { ...deployment, directory: directory.working, signal };
    const planned: PlannedNode[] = [];
    for (const node of nodes) {
      views.tell(node, { status: 'STARTED', phase: 'list' });
      planned.push(await planNode(context, node, chosen, directory));
      views.tell(node, { status: 'INITIALIZED', phase: 'download' });
    }
    if (prefix && planned.every(({ files }) => files === 0)) {
      throw new NothingSelected(
        `--prefix: got "${prefix}", expected the beginning of a path of the files chosen`,
      );
    }
    mustBeFree(planned);
    await mustFit(planned, directory);
    for (const [name, body] of documents) await directory.write(name, body);
    const downloaded: DownloadedNode[] = [];
    for (const node of planned) {
      const tell = (view: Partial<NodeView>) => views.tell(node, view);
      downloaded.push(await downloadNode(deployment, { manifest, node, directory, tell, signal }));
    }
    await directory.sync();
    const { warnings } = chosen;
    return { manifest, directory: directory.path, nodes: downloaded, warnings };
  } finally {
    await directory.close();
  }
}

interface NodeDownload {
  manifest: ClusterManifest;
  node: PlannedNode;
  directory: DownloadDirectory;
  tell(view: Partial<NodeView>): void;
  signal: AbortSignal;
}

async function downloadNode(
  deployment: Deployment,
  { manifest, node, directory, tell, signal }: NodeDownload,
): Promise<DownloadedNode> {
  const { clusterId, backupId: runId } = manifest;
  const { clock } = deployment;
  const phase = 'download';
  tell({ status: 'STARTED', phase });
  const progress = progressReporter({
    ...{ clock, runId, phase },
    tell: async (current) => tell({ progress: { ...current } }),
  });
  progress.set({ filesTotal: node.files, bytesTotal: node.bytes });
  let state: 'succeeded' | 'failed' = 'failed';
  try {
    const dataKeys = deployment.dataKeys(clusterId);
    const context = { ...deployment, dataKeys, progress, signal };
    const total = await fetchFiles(context, node.listed(), {
      ...{ clusterId, atOnce: OBJECTS_AT_ONCE, threads: THREADS, rate: UNLIMITED },
      placeOf: (file) => directory.placeOf(node.placeOf(file), file),
    });
    state = 'succeeded';
    const { hostId, instanceId, dataDirectories, damagedFiles } = node;
    return { hostId, instanceId, dataDirectories, ...total, damagedFiles };
  } finally {
    await progress.end(state);
    if (state === 'succeeded') tell({ status: 'COMPLETED' });
    else tell({ status: signal.aborted ? 'CANCELLED' : 'FAILED' });
  }
}

function viewsOf(nodes: readonly ChosenNode[], show: Show) {
  const views = new Map<string, NodeView>(
    nodes.map(({ hostId, instanceId }) => [
      hostId,
      { instanceId, hostId, status: 'INITIALIZED', phase: 'list' },
    ]),
  );
  return {
    tell({ hostId }: ChosenNode, change: Partial<NodeView>): void {
      const view = views.get(hostId);
      if (view) Object.assign(view, change);
      show([...views.values()]);
    },
  };
}
