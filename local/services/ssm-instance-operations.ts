// DescribeInstanceInformation: the hosts that SSM manages.
import { z } from 'zod';
import {
  LOCAL_ACCOUNT,
  LOCAL_PARTITION,
  LOCAL_REGION,
  type Operation,
  ServiceError,
} from '../endpoint/service.ts';
import type { LocalHost } from '../hosts/host.ts';
import { operation } from './operation.ts';
import type { RunCommand } from './ssm-commands.ts';

const input = z.strictObject({
  Filters: z.array(z.strictObject({ Key: z.string(), Values: z.array(z.string()).min(1) })).default([]),
  MaxResults: z.int().min(5).max(50).default(10),
  NextToken: z.string().optional(),
});

export function instanceOperations({ hosts }: RunCommand): Record<string, Operation<never>> {
  return {
    DescribeInstanceInformation: operation(input, async ({ Filters, MaxResults, NextToken }, context) => {
      context.authorize(
        'ssm:DescribeInstanceInformation',
        `arn:${LOCAL_PARTITION}:ssm:${LOCAL_REGION}:${LOCAL_ACCOUNT}:*`,
      );
      const found = [...hosts.values()].filter((host) =>
        Filters.every(({ Key, Values }) => Values.includes(filteredValue(host, Key) ?? '')),
      );
      const from = Number(NextToken ?? 0);
      const page = found.slice(from, from + MaxResults);
      const next = from + page.length;
      return {
        InstanceInformationList: page.map(instanceInformation),
        NextToken: next < found.length ? String(next) : undefined,
      };
    }),
  };
}

function filteredValue(host: LocalHost, key: string): string | undefined {
  if (key.startsWith('tag:')) return host.tags[key.slice('tag:'.length)];
  if (key === 'InstanceIds') return host.instanceId;
  if (key === 'PingStatus') return pingStatus(host);
  if (key === 'PlatformTypes') return 'Linux';
  throw new ServiceError('InvalidFilterKey', `The filter ${key} is not implemented by the local cloud.`);
}

function pingStatus(host: LocalHost): string {
  return host.agent.online ? 'Online' : 'ConnectionLost';
}

function instanceInformation(host: LocalHost): unknown {
  return {
    InstanceId: host.instanceId,
    PingStatus: pingStatus(host),
    LastPingDateTime: host.agent.online ? new Date() : host.lastPingAt,
    AgentVersion: '3.3.2746.0',
    IsLatestVersion: true,
    PlatformType: 'Linux',
    PlatformName: 'Amazon Linux',
    PlatformVersion: '2023',
    ResourceType: 'EC2Instance',
    IPAddress: host.cassandra?.address ?? '127.0.0.1',
    ComputerName: `${host.instanceId}.local`,
    SourceId: host.instanceId,
    SourceType: 'AWS::EC2::Instance',
  };
}
