// The `ringvault` command: this process and this machine's AWS configuration, handed to main.ts.
import { hostname, userInfo } from 'node:os';
import { type DeploymentOptions, runCli } from './main.ts';
import { processTerminal } from './terminal.ts';

process.exitCode = await runCli(process.argv.slice(2), {
  terminal: processTerminal(),
  requestedBy: `${userInfo().username}@${hostname()} with the ringvault command`.slice(0, 256),
  connect: async (options: DeploymentOptions) => {
    // Late, so that help and wrong use do not wait for the AWS SDK.
    const { connect } = await import('./connect.ts');
    return connect(options);
  },
});
