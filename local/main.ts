// `npm run local`: the local cloud alone, with the template of ringvault.yaml deployed and a Cassandra cluster to back up, until
// Ctrl-C. `-- --without-hosts` leaves Cassandra out, `-- --config <file>` takes another configuration, and with
// `-- --lambda-endpoint <url>` state machines invoke the functions that are not deployed here at that address.
import { once } from 'node:events';
import { Command } from 'commander';
import { tellError } from '../contracts/errors.ts';
import { explorationGuide } from './demo/exploration-guide.ts';
import { checkMachine } from './doctor.ts';
import { type Installation, startInstallation } from './installation.ts';
import { RECORDED_NOT_ENFORCED } from './services/s3/bucket-settings.ts';

const STATE_DIRECTORY = '.local/local';

interface Wish {
  configurationFile: string;
  withoutHosts: boolean;
  lambdaEndpoint: string | undefined;
}

const print = (text: string) => process.stdout.write(`${text}\n`);

async function runLocal(wish: Wish, stop: AbortSignal): Promise<number> {
  const problems = await checkMachine();
  if (problems.length > 0) {
    for (const problem of problems) process.stderr.write(`${problem}\n`);
    return 2;
  }
  let installation: Installation | undefined;
  try {
    installation = await start(wish, stop);
    installation.cloud.scheduleClock.follow();
    print(recordedNotEnforced(installation));
    if (wish.lambdaEndpoint !== undefined) print(outsideFunctions(wish.lambdaEndpoint));
    print(explorationGuide(installation));
    if (!stop.aborted) await once(stop, 'abort');
    return 0;
  } catch (error) {
    if (stop.aborted) return 130;
    const { errorName, message, hint } = tellError(error);
    process.stderr.write(`${errorName}: ${message}\n${hint}\n`);
    return 1;
  } finally {
    print('Ending every process');
    await installation?.close();
  }
}

function start(
  { configurationFile, withoutHosts, lambdaEndpoint }: Wish,
  signal: AbortSignal,
): Promise<Installation> {
  const clusters = withoutHosts ? { clusters: [] } : {};
  const cloud = lambdaEndpoint === undefined ? {} : { cloud: { lambdaEndpoint } };
  return startInstallation({
    directory: STATE_DIRECTORY,
    configurationFile,
    signal,
    tell: print,
    ...clusters,
    ...cloud,
  });
}

function outsideFunctions(url: string): string {
  return [
    '',
    `State machines invoke functions that are not deployed here at ${url}.`,
    'A state machine may be created with a role that is not known here: it may invoke those functions, all of them,',
    'unevaluated, and nothing else (local/step-functions/README.md).',
  ].join('\n');
}

function recordedNotEnforced({ cloud }: Installation): string {
  const byType = new Map<string, string[]>();
  for (const each of cloud.stacks.recordedOnly) {
    const [type = '', property = ''] = each.split('.');
    byType.set(type, [...(byType.get(type) ?? []), property]);
  }
  const types = [...byType].map(([type, properties]) => `${type}: ${properties.join(', ')}`);
  const lines = [...RECORDED_NOT_ENFORCED, ...types].map((each) => `  ${each}`);
  return ['', 'Recorded and not enforced here (docs/reference/local-cloud.md):', ...lines].join('\n');
}

const { config, withoutHosts, lambdaEndpoint } = new Command('npm run local --')
  .option('--config <file>', 'another configuration', 'ringvault.yaml')
  .option('--without-hosts', 'the cloud alone, without Cassandra', false)
  .option('--lambda-endpoint <url>', 'where functions are invoked that are not deployed here')
  .parse()
  .opts<{ config: string; withoutHosts: boolean; lambdaEndpoint?: string }>();
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interruption.abort());
if (lambdaEndpoint !== undefined && !/^https?:$/.test(URL.parse(lambdaEndpoint)?.protocol ?? '')) {
  process.stderr.write(
    `--lambda-endpoint: got ${lambdaEndpoint}, expected a URL such as http://127.0.0.1:3001\n`,
  );
  process.exitCode = 2;
} else {
  process.exitCode = await runLocal(
    { configurationFile: config, withoutHosts, lambdaEndpoint },
    interruption.signal,
  );
}
