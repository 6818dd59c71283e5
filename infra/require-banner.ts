// What begins every bundle.

/** Dependencies that are CommonJS call `require`, which an ES module does not have. */
export const REQUIRE_BANNER =
  "import { createRequire as ringvaultRequire } from 'node:module'; const require = ringvaultRequire(import.meta.url);";
