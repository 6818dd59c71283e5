// The plan that a run under recovery worked by, if it had come to one.
import { z } from 'zod';
import { backupPlan, restorePlan } from '../../contracts/plans.ts';
import { findDocument } from '../vault/documents.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

const anyPlan = z.discriminatedUnion('workflow', [backupPlan, restorePlan]);

export function findSubjectPlan(
  ports: Pick<StepPorts, 'vault' | 'layout'>,
  clusterId: string,
  runId: string,
): Promise<z.infer<typeof anyPlan> | undefined> {
  return findDocument(ports, ports.layout.plan(clusterId, runId), anyPlan);
}
