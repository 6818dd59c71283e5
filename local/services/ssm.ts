// SSM's API: Run Command and the managed instances.
import type { JsonService } from '../endpoint/service.ts';
import { commandOperations } from './ssm-command-operations.ts';
import type { RunCommand } from './ssm-commands.ts';
import { documentOperations } from './ssm-document-operations.ts';
import { instanceOperations } from './ssm-instance-operations.ts';

export function ssmService(runCommand: RunCommand): JsonService {
  return {
    protocol: 'json',
    signingName: 'ssm',
    targetPrefix: 'AmazonSSM',
    jsonVersion: '1.1',
    operations: {
      ...commandOperations(runCommand),
      ...documentOperations(runCommand),
      ...instanceOperations(runCommand),
    },
  };
}
