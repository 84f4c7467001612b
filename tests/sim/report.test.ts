/** What `npm run sim` says of a failing seed, and what `--shrink` keeps of it: with a bug planted, as its user would see it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { build } from "../../.ci/build.mjs";
import { plant } from "../../.ci/mutants.mjs";
import { readCase } from "../../lib/testing/corpus.js";
import { mutants } from "./mutants.mjs";

const root = join(import.meta.dirname, "../..");
const scratch = join(root, `node_modules/.cache/logboom/report-${process.pid}`);
const corpus = join(scratch, "corpus");
const planted = join(scratch, "dist");

beforeAll(async () => {
  await build(["code"]);
  mkdirSync(corpus, { recursive: true });
  const bug = mutants.find(({ id }) => id === "24");
  if (bug === undefined) throw new Error("no mutant 24");
  plant(bug, planted);
}, 180_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function sim(...args: string[]): { lines: string[]; code: number | null } {
  const { stdout, status } = spawnSync(process.execPath, [".ci/sim.mjs", ...args], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, LOGBOOM_SIM_CORPUS: corpus },
  });
  return { lines: stdout.trimEnd().split("\n"), code: status };
}

describe("a failing seed", { timeout: 300_000 }, () => {
  let lines: string[] = [];
  let code: number | null = 0;
  beforeAll(() => {
    ({ lines, code } = sim("--seed", "1", "--seeds", "1", "--shrink", "--dist", planted));
  }, 300_000);

  it("is told with options, invariant, the last events in columns, and the command that runs it again", () => {
    expect(code).toBe(1);
    expect(lines[0]).toMatch(/^seed 1: I\d+: \S/);
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({
      seed: 1,
      network: { model: expect.any(String) },
    });
    expect(lines[2]).toMatch(/^ +ms +node +role +term +commit\/applied +log +what$/);
    const last = lines.findLastIndex((line) => line.startsWith("seed 1: "));
    const events = lines.slice(3, last);
    expect(events.length).toBeGreaterThan(10);
    expect(events.length).toBeLessThanOrEqual(300);
    for (const event of events)
      expect(event).toMatch(/^ *\d+\.\d {2}\d+:\d+ +\S+ +\d+ +\d+\/\d+ +\d+:\d+ +\S/);
    expect(lines[last]).toBe(lines[0]);
    expect(lines[last + 1]).toBe("again: npm run sim -- --seed 1 --seeds 1");
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ seeds: 1, violations: 1 });
  });

  it("is kept as the fewest faults that still break the same invariant, and run first ever after", () => {
    const [file, ...others] = readdirSync(corpus);
    if (file === undefined) throw new Error("nothing was kept");
    expect(others).toEqual([]);
    const kept = readCase(readFileSync(join(corpus, file), "utf8"));
    expect(lines[0]).toContain(`seed 1: ${kept.invariant}: `);
    const shortened = lines.find((line) => line.endsWith(file)) ?? "";
    const [, before, after] = /^(\d+) lines shortened to (\d+): /.exec(shortened) ?? [];
    expect(Number(after)).toBe(kept.script.length);
    expect(Number(after)).toBeLessThan(Number(before) / 2);

    const again = sim("--seeds", "0", "--dist", planted);
    expect(again.code).toBe(1);
    expect(again.lines[0]).toBe(file);
    expect(again.lines[1]).toContain(`seed 1: ${kept.invariant}: `);
    expect(again.lines).toContain("again: npm run sim -- --seeds 0");

    const mended = sim("--seeds", "0");
    expect(mended.code).toBe(0);
    expect(JSON.parse(mended.lines.at(-1) ?? "")).toMatchObject({ violations: 0 });
  });
});
