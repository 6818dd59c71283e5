// Pausing a cluster's applications: how they are reached, what each answers, and what a run keeps of its pause.
import { z } from 'zod';
import { FORMAT_VERSION } from './documents.ts';
import { clusterId, count, instanceId, instanceTag, ipAddress, isoTime, runId } from './identifiers.ts';

const seconds = (least: number, most: number) => z.int().min(least).max(most);
const port = z.int().min(1).max(65_535);

/** The gRPC service `rpc.Admin`, found by DNS. */
export const grpcHook = z.strictObject({
  /** The SRV record that names the applications. */
  srv: z
    .string()
    .max(255)
    .regex(
      /^_[A-Za-z0-9-]+\._[A-Za-z0-9-]+(?:\.[A-Za-z0-9_-]+)+\.?$/,
      'a DNS name such as _admin._tcp.orders.internal',
    ),
  /** Asked instead of the VPC's resolver: those of a service registry that speaks DNS. */
  nameServers: z
    .array(
      z.string().regex(/^\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?$/, 'an IPv4 address, with a port if need be'),
    )
    .min(1)
    .optional(),
  /** Without it the calls are made in the clear. */
  tls: z
    .strictObject({
      /** PEM of the CA that the servers' certificates are checked against; well-known ones without it. */
      caCertificate: z.string().startsWith('-----BEGIN CERTIFICATE-----').optional(),
      /** The name in the servers' certificates, where it is not the one that SRV gives. */
      serverName: z.string().min(1).max(255).optional(),
    })
    .optional(),
  /** From where the applications can be reached. The function there calls nothing of AWS: it needs no way out. */
  vpc: z.strictObject({
    subnetIds: z.array(z.string().regex(/^subnet-[0-9a-f]{8,17}$/, 'the ID of a subnet')).min(1),
    securityGroupIds: z.array(z.string().regex(/^sg-[0-9a-f]{8,17}$/, 'the ID of a security group')).min(1),
  }),
});
export type GrpcHook = z.infer<typeof grpcHook>;

/**
 * A program on the applications' hosts, called through Run Command with `pause`, `resume` or `check`: see docs/operations.md
 * for what it answers.
 */
export const commandHook = z.strictObject({
  /** The EC2 tag that selects the applications' hosts. */
  tag: instanceTag,
  /** Runs as root. Must be there on each of them. */
  program: z
    .string()
    .max(255)
    .regex(/^(?:\/[A-Za-z0-9._-]+)+$/, 'an absolute path on the applications’ hosts, without spaces'),
});
export type CommandHook = z.infer<typeof commandHook>;

const pauseFields = z.strictObject({
  /** From the first pause asked for to the end of the snapshots; then they are resumed and the backup fails. */
  maxSeconds: seconds(10, 3_600).default(120),
  /** How long an application may take to say that it is paused. */
  waitSeconds: seconds(1, 600).default(10),
  /** Whether an application ends what is under way before it says so. */
  waitOutstanding: z.boolean().default(true),
  grpc: grpcHook.optional(),
  command: commandHook.optional(),
});

/** How a cluster's applications are paused for a consistent backup. */
export const pauseHook = pauseFields.refine(
  ({ grpc, command }) => (grpc === undefined) !== (command === undefined),
  {
    message: 'expected one of `grpc` and `command`',
  },
);
export type PauseHook = z.infer<typeof pauseHook>;

/** One application, by the address that it had when it was found: a name may mean another one later. */
export const application = z.strictObject({
  /** `<host>:<port>`, as SRV gave it; of one that is called through Run Command, its host's own name. */
  name: z.string().min(1),
  /** Of IP; or the ID of the instance that Run Command reaches. */
  address: z.union([ipAddress, instanceId]),
  /** Absent of an instance. */
  port: port.optional(),
});
export type Application = z.infer<typeof application>;

export function sameApplication(one: Application, other: Application): boolean {
  return one.address === other.address && one.port === other.port;
}

/** By name, then by address: as manifests have them. */
export function byName(one: Application, other: Application): number {
  return `${one.name} ${one.address}` < `${other.name} ${other.address}` ? -1 : 1;
}

/** What an application answered, or that it did not. */
export const applicationAnswer = z.strictObject({
  application,
  /**
   * done: of pause and resume. paused, running: of check. unsupported: it has no such method. refused: it answered an error.
   * silent: it was reached and did not answer in time. unreachable: no connection came about.
   */
  answer: z.enum(['done', 'paused', 'running', 'unsupported', 'refused', 'silent', 'unreachable']),
  message: z.string().max(1_000).optional(),
  answeredAt: isoTime,
});
export type ApplicationAnswer = z.infer<typeof applicationAnswer>;

/** What a call needs to know of the hook; the rest is left out. */
const calledHook = pauseFields.omit({ maxSeconds: true }).strip();
export const applicationsRequest = z.discriminatedUnion('call', [
  /** Who there is. */
  z.strictObject({ call: z.literal('discover'), hook: calledHook }),
  z.strictObject({
    call: z.enum(['pause', 'resume', 'check']),
    hook: calledHook,
    applications: z.array(application).min(1),
  }),
]);
export type ApplicationsRequest = z.infer<typeof applicationsRequest>;

/** `plans/<cluster>/<run>/pause.json`: written before the first pause, and what everybody resumes by. */
export const pauseDocument = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  clusterId,
  runId,
  /** Of the snapshot that it was made for. */
  round: z.int().positive(),
  /** S3 key of the configuration that has the hook. */
  configurationKey: z.string(),
  /** resumed: nobody needs to look after it any more. */
  state: z.enum(['paused', 'resumed']),
  /** Before the first pause was asked for. */
  askedAt: isoTime,
  /** No snapshot after it. */
  deadline: isoTime,
  /** After the snapshots. */
  checkedAt: isoTime.optional(),
  /** Those paused are those resumed, whatever DNS says by then. */
  applications: z
    .array(
      application.extend({
        pausedAt: isoTime.optional(),
        /** It said after the snapshots that it was paused still; false: it cannot say. */
        confirmed: z.boolean().optional(),
        resumedAt: isoTime.optional(),
        /** It could not be reached to be resumed, or had lost its address to another process. */
        gone: z.literal(true).optional(),
        /** Before and unless it said what came of its pause: it may pause after it was resumed, and is asked once more. */
        unsure: z.literal(true).optional(),
      }),
    )
    .min(1),
});
export type PauseDocument = z.infer<typeof pauseDocument>;

/** Of a consistent backup, in its manifest. */
export const measuredPause = z.strictObject({
  askedAt: isoTime,
  /** Sorted by name and address. */
  applications: z.array(
    application.extend({
      pausedAt: isoTime,
      confirmed: z.boolean(),
      /** Absent where it could not be reached any more. */
      resumedAt: isoTime.optional(),
      /** From `askedAt` on. */
      pausedMs: count.optional(),
    }),
  ),
});
export type MeasuredPause = z.infer<typeof measuredPause>;
