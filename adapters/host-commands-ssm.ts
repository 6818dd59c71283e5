// Hosts as SSM knows them, and Run Command. Nothing is retried here that would send a command twice on purpose; a host attaches
// to what runs already, and a program that pauses must bear it, so that a command sent twice does no harm.
import {
  CancelCommandCommand,
  GetCommandInvocationCommand,
  type InstanceInformation,
  paginateDescribeInstanceInformation,
  SendCommandCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { HostUnreachable, InvalidConfiguration } from '../contracts/errors.ts';
import { callAws, nameOf } from './aws-call.ts';
import type { HostCommands, ManagedHost } from './ports.ts';

export interface SsmOptions {
  /** Names of the SSM documents that may be sent here. */
  documents: Partial<Record<Parameters<HostCommands['send']>[0]['document'], string | undefined>>;
  /** The default client takes region, endpoint and credentials from the environment. */
  client?: SSMClient;
}

const DELIVER_WITHIN_SECONDS = 60;

export function ssmHostCommands({ documents, client }: SsmOptions): HostCommands {
  const ssm = client ?? new SSMClient({ maxAttempts: 8 });
  return {
    async listHosts(tag) {
      const Filters = [{ Key: `tag:${tag.key}`, Values: [tag.value] }];
      return callAws('ssm:DescribeInstanceInformation', async () => {
        const hosts: ManagedHost[] = [];
        for await (const page of paginateDescribeInstanceInformation(
          { client: ssm, pageSize: 50 },
          { Filters },
        )) {
          for (const found of page.InstanceInformationList ?? []) hosts.push(managedHost(found));
        }
        return hosts.sort((one, other) => (one.instanceId < other.instanceId ? -1 : 1));
      });
    },
    async send({ instanceId, document, parameters, comment, deliverWithinSeconds }) {
      const DocumentName = documents[document];
      if (!DocumentName) throw new InvalidConfiguration(`got no name for the SSM document "${document}"`);
      const command = new SendCommandCommand({
        DocumentName,
        InstanceIds: [instanceId],
        Parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, [value]])),
        Comment: comment.slice(0, 100),
        TimeoutSeconds: deliverWithinSeconds ?? DELIVER_WITHIN_SECONDS,
      });
      try {
        const sent = await callAws('ssm:SendCommand', () => ssm.send(command), ['InvalidInstanceId']);
        return { commandId: sent.Command?.CommandId ?? '' };
      } catch (cause) {
        if (!(cause instanceof Error) || cause.name !== 'InvalidInstanceId') throw cause;
        throw new HostUnreachable(`SSM refused a command for ${instanceId}: ${cause.message}`, { cause });
      }
    },
    async outcome(CommandId, InstanceId) {
      const get = new GetCommandInvocationCommand({ CommandId, InstanceId });
      try {
        const found = await callAws('ssm:GetCommandInvocation', () => ssm.send(get), [
          'InvocationDoesNotExist',
        ]);
        return {
          status: found.Status ?? '',
          detail: found.StatusDetails ?? '',
          stderr: found.StandardErrorContent ?? '',
          exitCode: found.ResponseCode ?? -1,
        };
      } catch (error) {
        if (nameOf(error) === 'InvocationDoesNotExist') return undefined;
        throw error;
      }
    },
    async cancel(CommandId, instanceId) {
      const cancel = new CancelCommandCommand({ CommandId, InstanceIds: [instanceId] });
      await callAws('ssm:CancelCommand', () => ssm.send(cancel));
    },
  };
}

function managedHost(found: InstanceInformation): ManagedHost {
  const instanceId = found.InstanceId ?? '';
  const pingStatus = found.PingStatus ?? 'unknown';
  return {
    ...{ instanceId, online: pingStatus === 'Online', pingStatus },
    ...(found.ComputerName && { computerName: found.ComputerName }),
  };
}
