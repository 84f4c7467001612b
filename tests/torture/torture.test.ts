/** The tortures in the size that `npm test` can afford; more on demand, by `npm run torture`. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  newCounts,
  type TortureCounts,
  tortureBesideTheLog,
  tortureByDamage,
  tortureByFaults,
} from "../../lib/testing/wal-torture.js";

const command = fileURLToPath(new URL("./torture.mjs", import.meta.url));

/** The JSON object in the last line. */
async function torture(...args: string[]): Promise<Record<string, number>> {
  const child = spawn(process.execPath, [command, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (text: Buffer) => {
    output += String(text);
  });
  await new Promise((resolve) => child.once("close", resolve));
  console.log(output.trim());
  return JSON.parse(output.trim().split("\n").at(-1) ?? "{}") as Record<string, number>;
}

const clean = { lost: 0, silent: 0 };

describe("the log, tortured on a disk in memory", () => {
  const options = { segmentBytes: 700, writes: 9, seed: 5, pairedBytes: 30 };

  const rows: [name: string, run: (counts: TortureCounts) => Promise<void>, atLeast: number][] = [
    ["damaged everywhere, all of it flushed", (c) => tortureByDamage(options, true, c), 10_000],
    [
      "damaged everywhere, without a synced mark",
      (c) => tortureByDamage(options, false, c),
      10_000,
    ],
    [
      "ended at every call, in every way",
      (c) => tortureByFaults(options, ["before", "within", "after"], c),
      500,
    ],
    [
      "every call failing, in every way",
      (c) => tortureByFaults(options, ["EIO", "ENOSPC", "short", "fsync"], c),
      500,
    ],
    ["damaged beside the log", (c) => tortureBesideTheLog(options, c), 1_000],
  ];
  test.each(rows)(
    "%s: nothing is lost, nothing is silent",
    { timeout: 180_000 },
    async (_name, run, atLeast) => {
      const counts = newCounts();
      await run(counts);
      expect(counts.findings).toEqual([]);
      expect(counts).toMatchObject(clean);
      expect(counts.cases).toBeGreaterThan(atLeast);
    },
  );
});

describe("processes killed while they write", () => {
  test("a child of Node's, 200 times", { timeout: 400_000 }, async () => {
    expect(await torture("kill", "--rounds", "200")).toMatchObject({ ...clean, cases: 200 });
  });

  test.each(["indexeddb", "opfs"])(
    "a Chromium with %s, 10 times",
    { timeout: 400_000 },
    async (backend) => {
      const result = await torture("browser", "--backend", backend, "--rounds", "10");
      expect(result).toMatchObject({ ...clean, cases: 10 });
    },
  );
});
