// Every subject, in the order of the tables.
import { awsCliForms } from './aws-cli.ts';
import { bareClient } from './bare.ts';
import { hostProgram } from './host-program.ts';
import { medusaForms } from './medusa.ts';
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
  ...medusaForms,
];
