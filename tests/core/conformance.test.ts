/** etcd/raft's own files, where they are present: as they are, and under variations that must not change what they record. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { defaultFolder, textFiles } from "../../.ci/conformance.mjs";
import { runScript, scriptKinds } from "../../lib/testing/run-script.js";

const folder = defaultFolder();

function sorted(text: string): string {
  return text.split("\n").sort().join("\n");
}

describe.skipIf(!existsSync(folder))("etcd/raft's data-driven files", () => {
  for (const kind of scriptKinds) {
    for (const file of textFiles(join(folder, kind))) {
      const source = readFileSync(file, "utf8");
      it(`${kind}/${basename(file)}`, () => {
        expect(runScript(kind, source).difference).toBeUndefined();
      });
      it(`${kind}/${basename(file)} is recorded as it stands`, () => {
        expect(runScript(kind, source, { record: true }).recorded).toBe(source);
      });
      if (kind !== "interaction") continue;
      it(`${kind}/${basename(file)}, whatever election timeouts are drawn`, () => {
        for (const draw of [0, 1, 2]) {
          const random = { below: (bound: number) => Math.min(draw, bound - 1) };
          expect(runScript(kind, source, { random }).difference).toBeUndefined();
        }
      });
      if (source.includes("async-storage-writes=true")) continue;
      // The text may differ only in where a vote request stands that shares a Ready with an acknowledgement.
      it(`${kind}/${basename(file)}, with vote requests that wait for their term to be durable`, () => {
        const agrees = (expected: string, actual: string) => sorted(expected) === sorted(actual);
        const config = { voteRequests: "afterPersist" } as const;
        expect(runScript(kind, source, { config, agrees }).difference).toBeUndefined();
      });
    }
  }
});
