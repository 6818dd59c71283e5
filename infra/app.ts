// What `cdk synth` and `cdk deploy` run. The configuration's path may be given by `-c ringvault:config=…`.
import { App, DefaultStackSynthesizer, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { acknowledgeFindings } from './acknowledgements.ts';
import { readConfiguration } from './configuration.ts';
import { RingvaultStack } from './ringvault-stack.ts';

const app = new App({ analyticsReporting: false });
const path: unknown = app.node.tryGetContext('ringvault:config') ?? './ringvault.yaml';
new RingvaultStack(app, 'Ringvault', {
  configuration: readConfiguration(String(path)),
  // The CLI checks the bootstrap's version by itself; the template then needs no parameter.
  synthesizer: new DefaultStackSynthesizer({ generateBootstrapVersionRule: false }),
});
acknowledgeFindings(app);
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
app.synth();
