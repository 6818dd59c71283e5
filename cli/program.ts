// What can be typed: commands, arguments and options, each checked here, each handed to its file in commands/.
import { Command, Option } from 'commander';
import { z } from 'zod';
import { vaultName } from '../contracts/configuration.ts';
import {
  type BackupKind,
  backupKind,
  clusterId,
  hostId,
  instanceId,
  runId,
} from '../contracts/identifiers.ts';
import { runStatus, workflowName } from '../contracts/runs.ts';
import packageJson from '../package.json' with { type: 'json' };
import type { Answer } from './answer.ts';
import { backup } from './commands/backup.ts';
import { cancel } from './commands/cancel.ts';
import { clusters } from './commands/clusters.ts';
import { describe } from './commands/describe.ts';
import { download } from './commands/download.ts';
import { list } from './commands/list.ts';
import { register } from './commands/register.ts';
import { release } from './commands/release.ts';
import { restore } from './commands/restore.ts';
import { status } from './commands/status.ts';
import { tokens } from './commands/tokens.ts';
import { undo } from './commands/undo.ts';
import { unregister } from './commands/unregister.ts';
import type { Session } from './deployment.ts';
import type { DeploymentOptions } from './main.ts';
import {
  asOption,
  backupOption,
  checkedBy,
  chosenBy,
  clusterArgument,
  datacenterOption,
  dryRun,
  excludeOption,
  ignoreCountersOption,
  ignoreGcGraceOption,
  includeOption,
  nodeOption,
  noWait,
  runArgument,
  snapshotOnlyOption,
  wait,
  yes,
} from './options.ts';
import type { Terminal } from './terminal.ts';

type Perform = (options: DeploymentOptions, command: (session: Session) => Promise<Answer>) => Promise<void>;

/** @param perform connects, runs a command and tells its answer */
export function buildProgram(terminal: Terminal, perform: Perform): Command {
  const program = new Command('ringvault')
    .description('Backup and restore of Apache Cassandra clusters, on your own AWS credentials.')
    .version(packageJson.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.note(text.trimEnd()),
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(see `ringvault help`)')
    .option('--stack <name>', 'the deployed stack', 'Ringvault')
    .option('--region <region>', 'AWS region (also AWS_REGION)')
    .option('--profile <profile>', 'AWS profile (also AWS_PROFILE)')
    .addOption(
      new Option(
        '--endpoint-url <url>',
        'one endpoint for all services, e.g. the local cloud (also AWS_ENDPOINT_URL)',
      ).argParser(
        checkedBy(z.url({ protocol: /^https?$/, error: 'expected a URL such as http://127.0.0.1:4566' })),
      ),
    )
    .option('--json', 'one JSON document on stdout, nothing else');
  addRunCommands(program, perform);
  addRestoreCommands(program, perform);
  addDownloadCommand(program, perform);
  addClusterCommands(program, perform);
  addHistoryCommands(program, perform);
  return program;
}

function addRunCommands(program: Command, perform: Perform): void {
  command(program, 'backup', 'back a cluster up now, and watch it')
    .addArgument(clusterArgument())
    .addOption(
      new Option(
        '--kind <kind>',
        'consistent: while the applications are paused; incremental: what was written since the one before',
      )
        .choices(backupKind.options)
        .default('snapshot' satisfies BackupKind),
    )
    .addOption(
      new Option('--base <id>', 'of an incremental: the backup to go on from').argParser(checkedBy(runId)),
    )
    .addOption(nodeOption())
    .addOption(datacenterOption())
    .addOption(includeOption())
    .addOption(excludeOption())
    .addOption(wait())
    .addOption(noWait())
    .action((cluster, { node, include, exclude, ...options }, self) =>
      perform(globals(self), (session) =>
        backup(session, cluster, { ...options, ...chosenBy({ node, include, exclude }) }),
      ),
    );
  command(program, 'cancel', 'stop a run; Recover then brings the cluster to a whole state')
    .addArgument(clusterArgument())
    .addArgument(runArgument('run ID; the newest by default'))
    .addOption(wait())
    .addOption(noWait())
    .action((cluster, run, options, self) =>
      perform(globals(self), (session) =>
        cancel(session, cluster, { ...options, ...(run && { runId: run }) }),
      ),
    );
}

function addRestoreCommands(program: Command, perform: Perform): void {
  command(
    program,
    'restore',
    'bring a cluster, or a part of it, back: in place, online, to other nodes or names',
  )
    .addArgument(clusterArgument())
    .addOption(backupOption())
    .addOption(
      new Option(
        '--source-cluster <cluster>',
        'whose backup it is: another cluster’s, restored to nodes with the same tokens, or with --online to any',
      ).argParser(checkedBy(clusterId)),
    )
    .addOption(
      new Option(
        '--source-vault <name>',
        'in which of `vaults` of ringvault.yaml that backup lies, if not in the deployment’s own',
      ).argParser(checkedBy(vaultName)),
    )
    .addOption(
      new Option(
        '--only-backed-up-datacenters',
        'replicate keyspaces that are created again in the datacenters alone that the backup has nodes of',
      ).default(false),
    )
    .addOption(snapshotOnlyOption())
    .addOption(nodeOption())
    .addOption(datacenterOption())
    .addOption(includeOption())
    .addOption(excludeOption())
    .addOption(
      new Option(
        '--online',
        'of the tables of --include: beside what they have now, while Cassandra serves; to nodes of any number and tokens',
      ),
    )
    .addOption(asOption())
    .addOption(
      new Option(
        '--dead-node <id>',
        'bring this node back, by host ID or the instance of the backup, on the host of --on: its own is gone',
      ).argParser(checkedBy(z.union([instanceId, hostId]))),
    )
    .addOption(
      new Option('--on <instance>', 'the empty host of --dead-node').argParser(checkedBy(instanceId)),
    )
    .addOption(
      new Option(
        '--new-host-id',
        'with --dead-node: in its place, as another node; also where the ring has changed since, or tables have counters',
      ),
    )
    .addOption(ignoreCountersOption())
    .addOption(new Option('--repair', 'repair the restored nodes at the end; the default with --dead-node'))
    .addOption(new Option('--no-repair', 'do not'))
    .addOption(ignoreGcGraceOption())
    .addOption(
      new Option(
        '--stop-after-step <step>',
        'download: end before anything is changed; the next restore of the same goes on with what is there',
      ).choices(['download']),
    )
    .addOption(dryRun())
    .addOption(yes())
    .addOption(wait())
    .addOption(noWait())
    .action((cluster, { node, include, exclude, ...options }, self) =>
      perform(globals(self), (session) =>
        restore(session, cluster, { ...options, ...chosenBy({ node, include, exclude }) }),
      ),
    );
  const ofRestore = (name: string, description: string) =>
    command(program, name, description)
      .addArgument(clusterArgument())
      .addArgument(runArgument('run ID of the restore; the newest that can be by default'));
  const named = (run: string | undefined) => (run ? { restoreRunId: run } : {});
  ofRestore('undo', 'put back the data from before a restore, and keep what it replaces until it is released')
    .addOption(dryRun())
    .addOption(ignoreGcGraceOption())
    .addOption(ignoreCountersOption())
    .addOption(yes())
    .addOption(wait())
    .addOption(noWait())
    .action((cluster, run, options, self) =>
      perform(globals(self), (session) => undo(session, cluster, { ...options, ...named(run) })),
    );
  ofRestore('release', 'delete what a restore, or its undo, kept aside')
    .addOption(dryRun())
    .addOption(yes())
    .addOption(wait())
    .addOption(noWait())
    .action((cluster, run, options, self) =>
      perform(globals(self), (session) => release(session, cluster, { ...options, ...named(run) })),
    );
}

function addDownloadCommand(program: Command, perform: Perform): void {
  command(program, 'download', 'files of a backup into a directory, verified, without Cassandra')
    .addArgument(clusterArgument())
    .addOption(
      new Option('--to <directory>', 'is made where it is not there')
        .makeOptionMandatory()
        .argParser(checkedBy(z.string().min(1, 'expected a directory'))),
    )
    .addOption(backupOption())
    .addOption(nodeOption())
    .addOption(includeOption())
    .addOption(excludeOption())
    .addOption(
      new Option(
        '--prefix <path>',
        'only files whose <keyspace>/<table>-<table ID>/<file> begins so; names Cassandra’s own keyspaces, too',
      ).argParser(checkedBy(z.string().regex(/^[^/\0]/, 'expected the beginning of keyspace/table-id/file'))),
    )
    .addOption(snapshotOnlyOption())
    .action((cluster, { node, snapshotOnly = false, ...options }, self) =>
      perform(globals(self), (session) =>
        download(session, cluster, { ...options, snapshotOnly, ...(node && { nodes: node }) }),
      ),
    );
}

function addClusterCommands(program: Command, perform: Perform): void {
  command(program, 'register', 'discover what a cluster is, and keep it; again, to bring it up to date')
    .addArgument(clusterArgument())
    .addOption(
      new Option(
        '--seed <instance>',
        'the instance whose view of the ring says who belongs to the cluster; by default all must agree',
      ).argParser(checkedBy(instanceId)),
    )
    .addOption(wait())
    .addOption(noWait())
    .action((cluster, options, self) =>
      perform(globals(self), (session) => register(session, cluster, options)),
    );
  command(program, 'unregister', 'forget what a cluster is, and none of its backups')
    .addArgument(clusterArgument())
    .addOption(yes())
    .addOption(wait())
    .addOption(noWait())
    .action((cluster, options, self) =>
      perform(globals(self), (session) => unregister(session, cluster, options)),
    );
  command(program, 'clusters', 'the clusters that had a run, and what each is registered as').action(
    (_options, self) => perform(globals(self), clusters),
  );
  command(program, 'describe', 'what a registered cluster is: its nodes, tokens, data directories, keyspaces')
    .addArgument(clusterArgument())
    .action((cluster, _options, self) => perform(globals(self), (session) => describe(session, cluster)));
  command(program, 'tokens', 'what the nodes of a new cluster are started with, for a backup to fit on them')
    .addArgument(clusterArgument())
    .addOption(backupOption())
    .action((cluster, options, self) =>
      perform(globals(self), (session) => tokens(session, cluster, options)),
    );
}

function addHistoryCommands(program: Command, perform: Perform): void {
  command(program, 'list', 'the history, newest first: of one cluster, or of all')
    .argument('[cluster]', 'cluster ID', checkedBy(clusterId))
    .addOption(new Option('--workflow <name>', 'only these runs').choices(workflowName.options))
    .addOption(new Option('--kind <kind>', 'only backups of this kind').choices(backupKind.options))
    .addOption(
      new Option('--status <status>', `only these runs (${runStatus.options.join(', ')})`).argParser(
        (value: string) => checkedBy(runStatus)(value.toUpperCase()),
      ),
    )
    .addOption(
      new Option('--backup <id>', 'only the run of this backup, and those that restored it').argParser(
        checkedBy(runId),
      ),
    )
    .addOption(
      new Option(
        '--node <id>',
        'only runs with this node, and what became of it: instance ID, or host ID where the run came to know it',
      ).argParser(checkedBy(z.union([instanceId, hostId], 'expected an instance ID or a host ID'))),
    )
    .addOption(
      new Option('--limit <n>', 'at most so many')
        .default(20)
        .argParser(checkedBy(z.coerce.number('expected a number').int().min(1).max(1000))),
    )
    .action((cluster, { backup, ...options }, self) =>
      perform(globals(self), (session) =>
        list(session, cluster, { ...options, ...(backup && { backupId: backup }) }),
      ),
    );
  command(program, 'status', 'one run with its nodes')
    .addArgument(clusterArgument())
    .addArgument(runArgument('run ID; the newest by default'))
    .addOption(new Option('--wait', 'watch until the run has ended'))
    .action((cluster, run, options, self) =>
      perform(globals(self), (session) =>
        status(session, cluster, { ...options, ...(run && { runId: run }) }),
      ),
    );
}

function command(program: Command, name: string, description: string): Command {
  return program.command(name).description(description).allowExcessArguments(false);
}

function globals(self: Command): DeploymentOptions {
  const { stack, region, profile, endpointUrl } = self.optsWithGlobals<DeploymentOptions>();
  return {
    stack,
    ...(region && { region }),
    ...(profile && { profile }),
    ...(endpointUrl && { endpointUrl }),
  };
}
