// The catalog in memory, for tests: the same promises as DynamoDB's, kept by the same suite.
import { LockLost } from '../contracts/errors.ts';
import type { RegistrationSummary } from '../contracts/registrations.ts';
import { ENDED_STATUSES, type RunRecord, type RunRef } from '../contracts/runs.ts';
import { chosenRuns, isFinal, mergedWarnings, withoutNodes } from './catalog-items.ts';
import type { Catalog, Clock, Lock, NodeItem, ScheduleWatch } from './ports.ts';

export function memoryCatalog({ clock }: { clock: Clock }): Catalog {
  const locks = new Map<string, Lock>();
  const fences = new Map<string, number>();
  const executions = new Map<string, { clusterId: string; runId: string }>();
  const schedules = new Map<string, string>();
  const watches = new Map<string, ScheduleWatch>();
  const registrations = new Map<string, RegistrationSummary>();
  const runs = new Map<string, RunRecord>();
  const nodes = new Map<string, Map<string, NodeItem>>();
  const runKey = (clusterId: string, runId: string) => `${clusterId}/${runId}`;
  const scheduleKey = (clusterId: string, schedule: string, time: string) =>
    [clusterId, schedule, new Date(time).toISOString()].join('#');
  const now = () => clock.now().toISOString();

  function take(claim: Omit<Lock, 'fence'>): { outcome: 'claimed'; fence: number } {
    const fence = (fences.get(claim.clusterId) ?? 0) + 1;
    fences.set(claim.clusterId, fence);
    locks.set(claim.clusterId, { ...claim, fence });
    executions.set(claim.executionArn, { clusterId: claim.clusterId, runId: claim.runId });
    return { outcome: 'claimed', fence };
  }
  function mustHold(run: RunRef): void {
    const lock = locks.get(run.clusterId);
    if (lock?.runId === run.runId && lock.fence === run.fence) return;
    throw new LockLost(`run ${run.runId} no longer holds cluster "${run.clusterId}"`);
  }
  function nodesOf(runId: string): Map<string, NodeItem> {
    const known = nodes.get(runId) ?? new Map<string, NodeItem>();
    nodes.set(runId, known);
    return known;
  }
  async function readNode(runId: string, instanceId: string): Promise<NodeItem | undefined> {
    return structuredClone(nodes.get(runId)?.get(instanceId));
  }
  async function listNodes(runId: string): Promise<NodeItem[]> {
    const found = [...(nodes.get(runId)?.values() ?? [])];
    return found
      .sort((one, other) => (one.instanceId < other.instanceId ? -1 : 1))
      .map((item) => structuredClone(item));
  }
  function write(record: RunRecord): boolean {
    const key = runKey(record.clusterId, record.runId);
    if (ENDED_STATUSES.includes(runs.get(key)?.status ?? 'STARTED')) return false;
    runs.set(key, structuredClone(withoutNodes(record)));
    return true;
  }

  return {
    readLock: async (clusterId) => structuredClone(locks.get(clusterId)),
    async claim(claim) {
      const lock = locks.get(claim.clusterId);
      if (!lock) return take(claim);
      if (lock.executionArn === claim.executionArn) return { outcome: 'claimed', fence: lock.fence };
      return { outcome: 'held', lock: structuredClone(lock) };
    },
    async takeOver(seen, claim) {
      const lock = locks.get(claim.clusterId);
      if (lock?.executionArn === claim.executionArn) return { outcome: 'claimed', fence: lock.fence };
      const unchanged = lock?.fence === seen.fence && lock.executionArn === seen.executionArn;
      return unchanged ? take(claim) : { outcome: 'lost' };
    },
    async release(run) {
      const lock = locks.get(run.clusterId);
      if (lock?.runId !== run.runId || lock.fence !== run.fence) return false;
      return locks.delete(run.clusterId);
    },
    async claimSchedule(clusterId, schedule, scheduledTime, runId) {
      const key = scheduleKey(clusterId, schedule, scheduledTime);
      const firstRunId = schedules.get(key) ?? runId;
      schedules.set(key, firstRunId);
      return { firstRunId };
    },
    isScheduleClaimed: async (clusterId, schedule, scheduledTime) =>
      schedules.has(scheduleKey(clusterId, schedule, scheduledTime)),
    async newestSchedule(clusterId, schedule) {
      const prefix = `${clusterId}#${schedule}#`;
      const newest = [...schedules.keys()]
        .filter((key) => key.startsWith(prefix))
        .sort()
        .at(-1);
      return newest?.slice(prefix.length);
    },
    readWatch: async (clusterId, schedule) => structuredClone(watches.get(`${clusterId}/${schedule}`)),
    async putWatch(clusterId, schedule, watch) {
      watches.set(`${clusterId}/${schedule}`, structuredClone(watch));
    },
    async putWaitingRun(record) {
      const { clusterId, runId, executionArn } = record;
      executions.set(executionArn, { clusterId, runId });
      if ((runs.get(runKey(clusterId, runId))?.status ?? 'INITIALIZED') === 'INITIALIZED') write(record);
    },
    async readRegistration(clusterId) {
      const known = structuredClone(registrations.get(clusterId));
      return known?.state === 'registered' ? known : undefined;
    },
    async putRegistration(summary) {
      const known = registrations.get(summary.clusterId);
      if (known && known.runId > summary.runId) return;
      registrations.set(summary.clusterId, structuredClone(summary));
    },
    runOfExecution: async (executionArn) => executions.get(executionArn),
    async putRun(run, record) {
      mustHold(run);
      write(record);
    },
    async putEndedRun(record) {
      const updatedAt = record.endedAt ?? now();
      for (const node of record.nodes) {
        nodesOf(record.runId).set(node.instanceId, structuredClone({ ...node, updatedAt }));
      }
      executions.set(record.executionArn, { clusterId: record.clusterId, runId: record.runId });
      write(record);
    },
    async amendRun(clusterId, runId, { undo, warnings = [] }) {
      const record = runs.get(runKey(clusterId, runId));
      if (!record) return;
      if (undo) record.undo = undo;
      record.warnings = mergedWarnings(record.warnings, warnings);
    },
    readRun: async (clusterId, runId) => structuredClone(runs.get(runKey(clusterId, runId))),
    listRuns(clusterId, filter = {}) {
      const newestFirst = [...runs.values()]
        .filter((run) => run.clusterId === clusterId)
        .sort((one, other) => (one.runId < other.runId ? 1 : -1));
      return chosenRuns(structuredClone(newestFirst), { readNode, listNodes }, filter);
    },
    async putNode(run, outcome) {
      mustHold(run);
      const known = nodesOf(run.runId).get(outcome.instanceId);
      if (known && outcome.status === 'INITIALIZED') return;
      const { commandId = known?.commandId, attempt = known?.attempt, hostId = known?.hostId } = outcome;
      const startedAt = known?.startedAt ?? outcome.startedAt;
      const current = {
        ...{ ...outcome, ...(hostId && { hostId }), ...(startedAt && { startedAt }) },
        updatedAt: now(),
      };
      const kept = known && isFinal(known) ? known : current;
      const command = { ...(commandId && { commandId }), ...(attempt && { attempt }) };
      nodesOf(run.runId).set(outcome.instanceId, structuredClone({ ...kept, ...command }));
    },
    readNode,
    listNodes,
  };
}
