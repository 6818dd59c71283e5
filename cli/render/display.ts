// Progress of a run or a download on stderr: a bar a node on a terminal, a line a change anywhere else.
import { MultiBar, type SingleBar } from 'cli-progress';
import { ENDED_STATUSES } from '../../contracts/runs.ts';
import { NODES_SHOWN, type NodeView, type RunView } from '../run-view.ts';
import type { Terminal } from '../terminal.ts';
import { formatBytes, formatSeconds } from './format.ts';

/** A download has no run. */
type Shown = Partial<Pick<RunView, 'run'>> & Pick<RunView, 'nodes'>;

export interface Display {
  show(view: Shown): void;
  close(): void;
}

export function displayFor(terminal: Terminal): Display {
  return terminal.interactive ? new BarDisplay(terminal.stderr) : new LineDisplay(terminal);
}

class LineDisplay implements Display {
  readonly #terminal: Terminal;
  readonly #told = new Map<string, string>();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(view: Shown): void {
    if (view.run) this.#tell('run', `run ${view.run.runId}: ${view.run.status}`);
    if (view.nodes.length > NODES_SHOWN) {
      this.#tell('nodes', `nodes: ${phaseCounts(view.nodes)}`);
      return;
    }
    for (const node of view.nodes) {
      this.#tell(node.instanceId, `${node.instanceId}  ${nodeText(node)}`);
    }
  }

  close(): void {}

  #tell(topic: string, line: string): void {
    if (this.#told.get(topic) === line) return;
    this.#told.set(topic, line);
    this.#terminal.note(line);
  }
}

class BarDisplay implements Display {
  readonly #bars: MultiBar;
  readonly #barOf = new Map<string, SingleBar>();

  constructor(stream: NodeJS.WritableStream) {
    this.#bars = new MultiBar({
      stream,
      format: '{name}  {bar}  {text}',
      barsize: 24,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      // Ctrl-C is ours: it ends the watching, then close() gives the cursor back.
      gracefulExit: false,
      emptyOnZero: true,
    });
  }

  show(view: Shown): void {
    if (view.nodes.length > NODES_SHOWN) {
      const done = view.nodes.filter((node) => isOver(node)).length;
      this.#update('nodes', done, view.nodes.length, phaseCounts(view.nodes));
      return;
    }
    for (const node of view.nodes) {
      const { done, total } = progressOf(node);
      this.#update(node.instanceId, done, total, nodeText(node) + rateText(node));
    }
  }

  close(): void {
    this.#bars.update();
    this.#bars.stop();
  }

  #update(name: string, done: number, total: number, text: string): void {
    let bar = this.#barOf.get(name);
    if (!bar) {
      bar = this.#bars.create(total, done, { name, text });
      this.#barOf.set(name, bar);
    }
    bar.setTotal(total);
    bar.update(done, { name, text });
  }
}

function isOver({ status }: Pick<NodeView, 'status'>): boolean {
  return ENDED_STATUSES.includes(status);
}

/** Bytes where they are known, else files, else whether the phase is over. */
function progressOf({ status, progress }: NodeView): { done: number; total: number } {
  if (isOver({ status })) return { done: 1, total: 1 };
  if (progress?.bytesTotal) return { done: progress.bytesDone, total: progress.bytesTotal };
  if (progress?.filesTotal) return { done: progress.filesDone, total: progress.filesTotal };
  return { done: 0, total: 1 };
}

function nodeText({ phase, status, progress, files, bytes, error }: NodeView): string {
  if (error) return `${phase} ${error.errorName}`;
  const parts = [phase.padEnd(14), status === 'STARTED' ? (progress?.state ?? '') : status];
  parts.push(outOf(progress?.filesDone ?? files, progress?.filesTotal, String, ' files'));
  parts.push(outOf(progress?.bytesDone ?? bytes, progress?.bytesTotal, formatBytes));
  return parts
    .filter((part) => part !== '')
    .join('  ')
    .trimEnd();
}

/** `  12.0 MiB/s  3m05s left`, while a phase goes on. */
function rateText({ status, progress }: NodeView): string {
  if (status !== 'STARTED' || !progress?.bytesPerSecond) return '';
  const left = progress.secondsLeft ? `  ${formatSeconds(progress.secondsLeft)} left` : '';
  return `  ${formatBytes(progress.bytesPerSecond)}/s${left}`;
}

/** `40 of 120 files`; nothing where a phase handles none. */
function outOf(
  done: number | undefined,
  total: number | undefined,
  format: (value: number) => string,
  unit = '',
): string {
  if (!done && !total) return '';
  return total === undefined
    ? `${format(done ?? 0)}${unit}`
    : `${format(done ?? 0)} of ${format(total)}${unit}`;
}

/** `upload STARTED 12, upload COMPLETED 988`. */
function phaseCounts(nodes: readonly NodeView[]): string {
  const counts = new Map<string, number>();
  for (const { phase, status } of nodes) {
    counts.set(`${phase} ${status}`, (counts.get(`${phase} ${status}`) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${what} ${count}`).join(', ');
}
