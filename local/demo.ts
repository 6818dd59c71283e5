// `npm run demo`: the main job of Ringvault from start to end, on this machine, with real Cassandra nodes. `-- --keep`
// leaves it up to be explored. Ends with exit code 0 only if everything came back.
import { once } from 'node:events';
import { Command } from 'commander';
import { tellError } from '../contracts/errors.ts';
import { explorationGuide } from './demo/exploration-guide.ts';
import { narrator } from './demo/narrator.ts';
import { tellStory } from './demo/story.ts';
import { checkMachine } from './doctor.ts';
import { type Installation, startInstallation } from './installation.ts';
import { timetableOf } from './services/schedule-expression.ts';

const STATE_DIRECTORY = '.local/demo';
const CONFIGURATION_FILE = 'ringvault.yaml';
const MINUTE_MS = 60_000;

/** The example's schedule; the schedules' clock starts a minute before, so that a day of sweeps need not be lived through. */
function minuteBeforeSchedule(): Date {
  const now = new Date();
  const next = timetableOf('cron(0 2 * * ? *)', 'UTC', now)(now) ?? now;
  return new Date(next.getTime() - MINUTE_MS);
}

/** What is under way when it stops fails later, once what it talks to has ended: nobody waits for that. */
async function unlessStopped<Result>(stop: AbortSignal, work: Promise<Result>): Promise<Result> {
  const stopped = Promise.withResolvers<never>();
  const onAbort = () => stopped.reject(stop.reason);
  stop.addEventListener('abort', onAbort, { once: true });
  if (stop.aborted) onAbort();
  work.catch(() => undefined);
  try {
    return await Promise.race([work, stopped.promise]);
  } finally {
    stop.removeEventListener('abort', onAbort);
  }
}

async function runDemo(keep: boolean, stop: AbortSignal): Promise<number> {
  const tell = narrator();
  const problems = await checkMachine();
  if (problems.length > 0) {
    for (const problem of problems) tell.problem(problem);
    return 2;
  }
  tell.stage('Three Cassandra nodes, the local cloud, and the synthesized template deployed to it');
  let installation: Installation | undefined;
  try {
    installation = await startInstallation({
      directory: STATE_DIRECTORY,
      configurationFile: CONFIGURATION_FILE,
      schedulesFrom: minuteBeforeSchedule(),
      signal: stop,
      tell: (what) => tell.line(what),
    });
    const everythingCameBack = await unlessStopped(stop, tellStory(installation, tell, stop));
    if (keep) {
      tell.text(explorationGuide(installation));
      if (!stop.aborted) await once(stop, 'abort');
    }
    return everythingCameBack ? 0 : 1;
  } catch (error) {
    if (stop.aborted) return 130;
    const { errorName, message, hint } = tellError(error);
    tell.problem(`${errorName}: ${message}\n${hint}`);
    return 1;
  } finally {
    tell.stage('Ending every process');
    await installation?.close();
    tell.line('done');
  }
}

const { keep = false } = new Command('npm run demo --')
  .option('--keep', 'leave it up to be explored, until Ctrl-C')
  .parse()
  .opts<{ keep?: boolean }>();
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interruption.abort());
}
// By force: a stage that was cut short may still wait for servers that have ended.
process.exit(await runDemo(keep, interruption.signal));
