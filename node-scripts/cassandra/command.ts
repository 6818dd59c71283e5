// Running the commands that the configuration names, as argument lists, never by a shell.
import { execa } from 'execa';

export interface CommandResult {
  /** As a person would type it, for messages. */
  command: string;
  exitCode: number | undefined;
  stdout: string;
  /** What it said when it failed: the last lines of stderr, or of stdout. */
  lastWords: string;
  failed: boolean;
}

export async function runCommand(
  argv: string[],
  options: { signal?: AbortSignal; timeoutMs?: number; environment?: Record<string, string> } = {},
): Promise<CommandResult> {
  const [file = '', ...args] = argv;
  const result = await execa(file, args, {
    reject: false,
    stdin: 'ignore',
    maxBuffer: 16 * 1024 ** 2,
    ...(options.signal && { cancelSignal: options.signal }),
    ...(options.timeoutMs && { timeout: options.timeoutMs }),
    ...(options.environment && { env: options.environment }),
  });
  // nodetool prints where in its code it failed after why.
  const [words = ''] = (result.stderr || result.stdout || '').split('-- StackTrace --');
  const said = words.trim().split('\n').slice(-5).join('\n');
  const reason = result.timedOut ? `did not end within ${options.timeoutMs} ms` : result.originalMessage;
  return {
    command: argv.join(' '),
    exitCode: result.exitCode,
    stdout: result.stdout,
    lastWords: said || reason || '',
    failed: result.failed,
  };
}
