// The host program itself, one action from its document to its answer, on the real adapters.
import { systemClock } from '../adapters/clock-system.ts';
import { kmsDataKeys } from '../adapters/data-keys-kms.ts';
import { s3ObjectStore } from '../adapters/object-store-s3.ts';
import { secretsManagerReader } from '../adapters/secrets-manager.ts';
import { sfnTaskCallback } from '../adapters/task-callback-sfn.ts';
import { hostPaths } from './host-paths.ts';
import { openLog } from './log.ts';
import { runAction } from './run.ts';
import { confirmLaunch } from './start.ts';

export interface ProgramOptions {
  bucket: string;
  prefix: string;
  region: string;
  'instance-arn': string;
  'run-id': string;
  'action-id': string;
  /** What `start` waits to be told. */
  launch?: string | undefined;
}

export async function runProgram(options: ProgramOptions): Promise<void> {
  const { region, launch } = options;
  const paths = hostPaths(process.env['RINGVAULT_HOST_ROOT']);
  const id = options['action-id'];
  const log = openLog(paths.log(id), {
    run: options['run-id'],
    action: id,
    instanceArn: options['instance-arn'],
  });
  process.on('SIGHUP', () => log.info('SIGHUP is ignored'));
  const failPoint = process.env['RINGVAULT_FAIL_POINT'];
  try {
    const outcome = await runAction({
      store: s3ObjectStore({ bucket: options.bucket, region }),
      openVault: s3ObjectStore,
      dataKeys: (clusterId) => kmsDataKeys({ clusterId, regions: [region] }),
      vault: { bucket: options.bucket, region },
      secrets: secretsManagerReader({ region }),
      callback: sfnTaskCallback({ region }),
      clock: systemClock,
      paths,
      log,
      prefix: options.prefix,
      instanceArn: options['instance-arn'],
      runId: options['run-id'],
      actionId: id,
      ...(failPoint && { failPoint }),
      onLocked: async () => {
        if (launch) await confirmLaunch(paths.action(id), launch);
      },
    });
    log.info({ outcome }, 'host program ends');
  } catch (error) {
    log.fatal({ err: error }, 'host program failed');
    throw error;
  }
}
