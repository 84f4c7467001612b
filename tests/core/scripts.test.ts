/** Our own scripts: what etcd's cannot reach. `npm run conformance -- --update tests/core/scripts` records them anew. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { textFiles } from "../../.ci/conformance.mjs";
import { runScript } from "../../lib/testing/run-script.js";

describe("the script", () => {
  for (const file of textFiles(fileURLToPath(new URL("scripts/interaction", import.meta.url)))) {
    it(basename(file), () => {
      expect(runScript("interaction", readFileSync(file, "utf8")).difference).toBeUndefined();
    });
  }
});
