// What is measured: a program in one of its forms, and the commands by which it backs a tree up and gets it back.
import type { BenchData, StateName } from '../data/states.ts';
import type { Command } from '../measure/measure.ts';
import type { TaskServer } from '../servers/task-server.ts';
import type { VaultServer } from '../servers/vault-server.ts';

export interface Arena {
  vault: VaultServer;
  tasks: TaskServer;
  data: BenchData;
  /** Of this subject and round: empty, made already. */
  bucket: string;
  /** A work directory of this subject and round. */
  directory: string;
}

/** One subject in one round. Each function prepares a command; only the command is measured. */
export interface Contestant {
  /** `tree` has the state's files, always under the same path. */
  backup(state: StateName, tree: string): Promise<Command>;
  /** Into `target`, which is empty, what the last backup had. */
  restore(target: string): Promise<Command>;
  /** After a command succeeded. @throws where it did not do what it should have */
  after?(): Promise<void>;
  /** Where below `target` the tree's files are after a restore. */
  restored?(target: string): string;
  /** Ends what it started. */
  end?(): Promise<void>;
}

export interface Subject {
  /** "rclone, tuned". */
  name: string;
  /** "rclone": of the same tool the better form counts. */
  tool: string;
  /** What differs from the tool's default. */
  form: string;
  /** The limit: what can only copy, and takes no part in the other scenarios. */
  copiesOnly?: boolean;
  /** Undefined where it is not installed. */
  version(): Promise<string | undefined>;
  begin(arena: Arena): Promise<Contestant>;
}
