// The host program's command line: `start` starts or attaches and returns; `run` is the program itself (program.ts). Bundled
// to host.mjs.
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { systemClock } from '../adapters/clock-system.ts';
import { describeIssues } from '../contracts/documents.ts';
import { InvalidRequest, tellError } from '../contracts/errors.ts';
import { actionId, instanceArn, runId } from '../contracts/identifiers.ts';
import { hostPaths } from './host-paths.ts';
import { NODE_FLAGS, startOrAttach } from './start.ts';

const commandLine = z.strictObject({
  verb: z.enum(['start', 'run']),
  bucket: z.string().min(3),
  prefix: z.string().default(''),
  region: z.string().min(1),
  'instance-arn': instanceArn,
  'run-id': runId,
  'action-id': actionId,
  /** Given by `start` to `run`. */
  launch: z.uuid().optional(),
});
type CommandLine = z.infer<typeof commandLine>;

function parseCommandLine(argv: string[]): CommandLine {
  const option = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      bucket: option,
      prefix: option,
      region: option,
      'instance-arn': option,
      'run-id': option,
      'action-id': option,
      launch: option,
    },
  });
  const parsed = commandLine.safeParse({ verb: positionals[0], ...values });
  if (!parsed.success) throw new InvalidRequest(`host program: ${describeIssues(parsed.error)}`);
  return parsed.data;
}

async function start(options: CommandLine): Promise<void> {
  const { verb: _verb, launch: _launch, ...passed } = options;
  const { outcome } = await startOrAttach({
    paths: hostPaths(process.env['RINGVAULT_HOST_ROOT']),
    clock: systemClock,
    actionId: options['action-id'],
    program: [process.execPath, ...NODE_FLAGS, process.argv[1] ?? ''],
    // "=" keeps an empty value, and one that begins with a dash, in its place.
    arguments: Object.entries(passed).map(([name, value]) => `--${name}=${value}`),
    environment: process.env,
  });
  console.log(`${options['action-id']}: ${outcome}`);
}

try {
  const options = parseCommandLine(process.argv.slice(2));
  if (options.verb === 'start') await start(options);
  // Loaded here alone: `start` runs as often, and needs no AWS SDK and no driver.
  else await (await import('./program.ts')).runProgram(options);
  process.exit(0);
} catch (error) {
  const told = tellError(error);
  console.error(`${told.errorName}: ${told.message}\n${told.hint}`);
  process.exit(1);
}
