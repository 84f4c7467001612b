/** The suite with one planted bug: files named in LOGBOOM_MUTANT are read as it says. Used by .ci/mutants.mjs. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { sourceAlias } from "../../.ci/source-alias.mjs";

/** @type {{ file: string, text: string }[]} */
const planted = JSON.parse(readFileSync(process.env.LOGBOOM_MUTANT ?? "", "utf8"));

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  resolve: { alias: sourceAlias() },
  plugins: [
    {
      name: "mutant",
      enforce: "pre",
      load: (/** @type {string} */ id) =>
        planted.find(({ file }) => id.split("?")[0] === file)?.text,
    },
  ],
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/**/*.browser.test.ts", "tests/e2e/**"],
  },
});
