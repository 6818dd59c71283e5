// Writes docs/reference/: what the code knows already and a page must not repeat by hand. `npm run generate`.
import { mkdir, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { ringvaultConfiguration } from '../contracts/configuration.ts';
import { errorClasses } from '../contracts/errors.ts';
import { resourceTypes } from '../local/deploy/resources/resource-types.ts';
import { RECORDED_NOT_ENFORCED } from '../local/services/s3/bucket-settings.ts';

/** Page name below docs/reference/ → content. */
export function referencePages(): Map<string, string> {
  return new Map([
    ['errors.md', errorsPage()],
    ['configuration.schema.json', configurationSchema()],
    ['local-cloud.md', localCloudPage()],
  ]);
}

function errorsPage(): string {
  const rows = [...errorClasses.values()]
    .map(({ errorName, traits }) => ({ errorName, ...traits }))
    .sort((one, other) => one.errorName.localeCompare(other.errorName))
    .map(
      ({ errorName, meaning, hint, exitCode = 1, retryable = false }) =>
        `| \`${errorName}\` | ${meaning} | ${hint} | ${exitCode} | ${retryable ? 'yes' : 'no'} |`,
    );
  return `# Errors

Generated from \`contracts/errors.ts\` by \`npm run generate\`; do not edit.

The name is the same in a host's log, in Step Functions, in the catalog, in a mail and in the \`ringvault\` command.
The exit code is the command's. What is retried is tried again by the workflow before anybody is told.

| name | cause | action | exit code | retried |
| ---- | ----- | ------ | --------- | ------- |
${rows.join('\n')}
`;
}

function configurationSchema(): string {
  const schema = z.toJSONSchema(ringvaultConfiguration, { io: 'input', target: 'draft-7' });
  return `${JSON.stringify({ ...schema, title: 'ringvault.yaml' }, null, 2)}\n`;
}

function localCloudPage(): string {
  const types = Object.entries(resourceTypes).map(
    ([type, { recorded }]) => `| \`${type}\` | ${recorded.map((name) => `\`${name}\``).join(', ')} |`,
  );
  return `# The local cloud: what is recorded and not enforced

Generated from \`local/\` by \`npm run generate\`; do not edit.

The local cloud refuses by name what it does not implement: an API call, a resource type, a property, a condition. The
following it accepts and does not act on.

${RECORDED_NOT_ENFORCED.map((each) => `- ${each}`).join('\n')}

## Resource types of a template

Any other type, and any property that is neither honoured nor named here, is refused.

| type | properties that are recorded alone |
| ---- | ---------------------------------- |
${types.join('\n')}
`;
}

if (import.meta.main) {
  const folder = new URL('reference/', import.meta.url);
  await mkdir(folder, { recursive: true });
  for (const [name, content] of referencePages()) await writeFile(new URL(name, folder), content);
}
