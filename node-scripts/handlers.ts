// Which function carries out which action. Loaded when it is asked for: most actions need no CQL driver and no YAML.
import type { ActionName } from '../contracts/actions.ts';
import type { ActionHandler } from './context.ts';

export const handlers: { [Name in ActionName]: () => Promise<ActionHandler<Name>> } = {
  prepare: async () => (await import('./actions/prepare.ts')).prepare,
  describe: async () => (await import('./actions/describe.ts')).describe,
  flush: async () => (await import('./actions/flush.ts')).flush,
  snapshot: async () => (await import('./actions/snapshot.ts')).snapshot,
  'collect-increments': async () => (await import('./actions/collect-increments.ts')).collectIncrements,
  upload: async () => (await import('./actions/upload.ts')).upload,
  'clear-snapshot': async () => (await import('./actions/clear-snapshot.ts')).clearSnapshot,
  'release-increments': async () => (await import('./actions/release-increments.ts')).releaseIncrements,
  'check-restore': async () => (await import('./actions/check-restore.ts')).checkRestore,
  'apply-schema': async () => (await import('./actions/apply-schema.ts')).applySchema,
  download: async () => (await import('./actions/download.ts')).download,
  'stop-clients': async () => (await import('./actions/stop-clients.ts')).stopClients,
  'settle-writes': async () => (await import('./actions/settle-writes.ts')).settleWrites,
  stop: async () => (await import('./actions/stop.ts')).stop,
  import: async () => (await import('./actions/import.ts')).importTables,
  'check-undo': async () => (await import('./actions/check-undo.ts')).checkUndo,
  'check-loader': async () => (await import('./actions/check-loader.ts')).checkLoader,
  load: async () => (await import('./actions/load.ts')).load,
  place: async () => (await import('./actions/place.ts')).place,
  'put-back': async () => (await import('./actions/put-back.ts')).putBack,
  start: async () => (await import('./actions/start.ts')).start,
  repair: async () => (await import('./actions/repair.ts')).repair,
  'release-old': async () => (await import('./actions/release-old.ts')).releaseOld,
  'end-run': async () => (await import('./actions/end-run.ts')).endRun,
  settle: async () => (await import('./actions/settle.ts')).settle,
};
