// Every subject, in the order of the tables.
import { awsCliForms } from './aws-cli.ts';
import { bareClient } from './bare.ts';
import { hostProgram } from './host-program.ts';
import { rcloneForms } from './rclone.ts';
import { resticForms } from './restic.ts';
import { s5cmdForms } from './s5cmd.ts';
import type { Subject } from './subject.ts';

export const subjects: Subject[] = [
  hostProgram,
  bareClient,
  ...rcloneForms,
  ...s5cmdForms,
  ...awsCliForms,
  ...resticForms,
];

/** What an operator may use and is not in the tables, and why. */
export const LEFT_OUT = [
  'Medusa is not measured: it takes its own snapshot of a running node, so that it cannot be given the same one as the others',
];
