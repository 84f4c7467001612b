/** The suite with one planted bug: the file named in LOGBOOM_MUTANT is read as it says. Used by .ci/mutants.mjs. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { sourceAlias } from "../../.ci/source-alias.mjs";

const { file, text } = JSON.parse(readFileSync(process.env.LOGBOOM_MUTANT ?? "", "utf8"));

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  resolve: { alias: sourceAlias() },
  plugins: [
    {
      name: "mutant",
      enforce: "pre",
      load: (/** @type {string} */ id) => (id.split("?")[0] === file ? text : undefined),
    },
  ],
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/**/*.browser.test.ts", "tests/e2e/**"],
  },
});
