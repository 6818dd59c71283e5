// Which function carries out which action.
import type { ActionName } from '../contracts/actions.ts';
import { applySchema } from './actions/apply-schema.ts';
import { checkRestore } from './actions/check-restore.ts';
import { clearSnapshot } from './actions/clear-snapshot.ts';
import { describe } from './actions/describe.ts';
import { download } from './actions/download.ts';
import { endRun } from './actions/end-run.ts';
import { flush } from './actions/flush.ts';
import { place } from './actions/place.ts';
import { prepare } from './actions/prepare.ts';
import { putBack } from './actions/put-back.ts';
import { releaseOld } from './actions/release-old.ts';
import { settle } from './actions/settle.ts';
import { snapshot } from './actions/snapshot.ts';
import { start } from './actions/start.ts';
import { stop } from './actions/stop.ts';
import { upload } from './actions/upload.ts';
import type { ActionHandler } from './context.ts';

export const handlers: { [Name in ActionName]: ActionHandler<Name> } = {
  prepare,
  describe,
  flush,
  snapshot,
  upload,
  'clear-snapshot': clearSnapshot,
  'check-restore': checkRestore,
  'apply-schema': applySchema,
  download,
  stop,
  place,
  'put-back': putBack,
  start,
  'release-old': releaseOld,
  'end-run': endRun,
  settle,
};
