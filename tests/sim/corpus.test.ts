/** The corpus: what once failed holds, and each script still finds what it pins once that is in the code again. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { build } from "../../.ci/build.mjs";
import { plant } from "../../.ci/mutants.mjs";
import { readCase, replayAll, writeCase } from "../../lib/testing/corpus.js";

const root = join(import.meta.dirname, "../..");
const folder = join(import.meta.dirname, "corpus");
const copies = join(root, `node_modules/.cache/logboom/corpus-${process.pid}`);
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
const cases = files.map((file) => ({
  file,
  one: readCase(readFileSync(join(folder, file), "utf8")),
}));
const before = process.env["NODE_ENV"];

beforeAll(async () => {
  process.env["NODE_ENV"] = "production";
  await build(["code"]);
}, 180_000);
afterAll(() => {
  process.env["NODE_ENV"] = before;
  rmSync(copies, { recursive: true, force: true });
});

describe.each(cases)("$file", { timeout: 120_000 }, ({ one }) => {
  it("holds, whatever the rest is drawn from", async () => {
    const [failure] = await replayAll(one);
    expect(failure?.violation).toBeUndefined();
  });
});

describe.each(cases.filter(({ one }) => one.undo !== undefined))(
  "$file",
  { timeout: 120_000 },
  ({ file, one }) => {
    it("finds what it pins when that is undone", () => {
      const [first, ...also] = one.undo ?? [];
      if (first === undefined) throw new Error("nothing to undo");
      const copy = join(copies, file);
      plant({ id: file, what: one.found, by: "sim", ...first, also }, copy);
      const args = ["tests/sim/hunt.mjs", "corpus", copy, join(folder, file)];
      const { stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
      expect(stdout).toMatch(new RegExp(`^KILLED ${one.invariant}\\t\\d+`));
    });
  },
);

describe("a case", () => {
  it("is written and read, infinite options included", () => {
    for (const { one } of cases) expect(readCase(writeCase(one))).toEqual(one);
    expect(cases.some(({ one }) => one.options?.uncommittedBytesMax === Infinity)).toBe(true);
  });

  it("names what it pins as the track record does", () => {
    const record = readFileSync(join(root, "docs/TRACK-RECORD.md"), "utf8");
    for (const { file, one } of cases) {
      if (one.pins !== undefined) expect(record, file).toContain(file);
    }
    const named = [...record.matchAll(/`([\w-]+\.json)`/g)].map(([, name]) => name);
    expect(named.toSorted()).toEqual(cases.filter(({ one }) => one.pins).map(({ file }) => file));
  });
});
