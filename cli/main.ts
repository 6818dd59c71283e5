// From arguments to an exit code: the one place that maps errors. The world outside comes in, so that tests are people.
import { CommanderError } from 'commander';
import { errorFrom, InvalidRequest, RingvaultError, tellError } from '../contracts/errors.ts';
import type { Answer } from './answer.ts';
import type { Deployment, Session } from './deployment.ts';
import { buildProgram } from './program.ts';
import type { Terminal } from './terminal.ts';

export interface DeploymentOptions {
  stack: string;
  region?: string;
  profile?: string;
  endpointUrl?: string;
}

export interface World {
  terminal: Terminal;
  requestedBy: string;
  /** @throws UnknownStack AwsCallFailed */
  connect(options: DeploymentOptions): Promise<Deployment>;
}

/** Runs one command line (without `node` and the script) and answers the exit code. */
export async function runCli(argv: string[], world: World): Promise<number> {
  const { terminal } = world;
  const json = argv.includes('--json');
  let exitCode = 0;
  const program = buildProgram(terminal, async (options, command) => {
    const deployment = await world.connect(options);
    const session: Session = { deployment, terminal, requestedBy: world.requestedBy };
    exitCode = tellAnswer(terminal, await command(session), json);
  });
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return wrongUse(terminal, error, json);
    return tellFailure(terminal, named(error), json);
  }
}

function tellAnswer(terminal: Terminal, answer: Answer, json: boolean): number {
  const { document, text, error } = answer;
  const told = error && { errorName: error.name, message: error.message, hint: error.hint };
  if (json) terminal.print(JSON.stringify(told ? { ...document, error: told } : document));
  else terminal.print(text);
  if (error) noteError(terminal, error);
  return error?.exitCode ?? answer.exitCode ?? 0;
}

function tellFailure(terminal: Terminal, error: RingvaultError, json: boolean): number {
  const { name: errorName, message, hint, exitCode } = error;
  if (json) terminal.print(JSON.stringify({ error: { errorName, message, hint } }));
  noteError(terminal, error);
  return exitCode;
}

function noteError(terminal: Terminal, { name, message, hint }: RingvaultError): void {
  terminal.note(`\n${name}: ${message}\n${hint}`);
}

/** commander has told stderr already; help and version that were asked for are no error. */
function wrongUse(terminal: Terminal, error: CommanderError, json: boolean): number {
  if (error.exitCode === 0) return 0;
  if (json) {
    const message =
      error.code === 'commander.help'
        ? 'got no command, expected one'
        : error.message.replace(/^error: /, '');
    terminal.print(
      JSON.stringify({ error: { errorName: 'InvalidRequest', message, hint: 'See `ringvault help`.' } }),
    );
  }
  return InvalidRequest.traits.exitCode ?? 1;
}

/** The adapters have named what AWS answered. */
function named(error: unknown): RingvaultError {
  return error instanceof RingvaultError ? error : errorFrom(tellError(error), { cause: error });
}
