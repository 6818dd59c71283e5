#!/usr/bin/env node
// What `bin` names: plain JavaScript, so that an older Node says what it lacks instead of stumbling over a .ts file.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    `ringvault needs Node 24, got ${process.versions.node}. In the project's folder, \`npx ringvault\` runs on the Node 24 of package-lock.json.`,
  );
  process.exitCode = 2;
} else {
  await import('./ringvault.ts');
}
