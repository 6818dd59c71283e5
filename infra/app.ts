// What `cdk synth` and `cdk deploy` run. The configuration's path may be given by `-c ringvault:config=…`.
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { acknowledgeFindings } from './acknowledgements.ts';
import { readConfiguration } from './configuration.ts';
import { RingvaultStack } from './ringvault-stack.ts';

const app = new App({ analyticsReporting: false });
const path: unknown = app.node.tryGetContext('ringvault:config') ?? './ringvault.yaml';
new RingvaultStack(app, 'Ringvault', { configuration: readConfiguration(String(path)) });
acknowledgeFindings(app);
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
app.synth();
