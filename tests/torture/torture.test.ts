/** The tortures in the size that `npm test` can afford; more on demand, by `npm run torture`. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import {
  newCounts,
  type TortureCounts,
  tortureBesideTheLog,
  tortureByDamage,
  tortureByFaults,
} from "../../lib/testing/wal-torture.js";
import { createJudge, type Life, newLife } from "./judge.mjs";

const script = fileURLToPath(new URL("./torture.mjs", import.meta.url));

/** What the command printed and how it ended. */
async function command(...args: string[]): Promise<{ code: number; text: string; errors: string }> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [text, errors] = ["", ""];
  child.stdout.on("data", (part: Buffer) => {
    text += String(part);
  });
  child.stderr.on("data", (part: Buffer) => {
    errors += String(part);
  });
  const code = await new Promise<number>((resolve) => child.once("close", resolve));
  return { code, text: text.trim(), errors: errors.trim() };
}

/** The JSON object in the last line, of a run in which nothing was found. */
async function torture(...args: string[]): Promise<Record<string, number>> {
  const { code, text, errors } = await command(...args);
  console.log(text);
  expect({ code, errors }).toEqual({ code: 0, errors: "" });
  const result = JSON.parse(text.split("\n").at(-1) ?? "{}") as Record<string, number>;
  expect(Object.keys(result)).toEqual(["cases", "acked", "lost", "silent", "wiped"]);
  expect(result["acked"]).toBeGreaterThan(0);
  return result;
}

/** The process that holds a profile below `folder`: Chromium's lock is a link to its host and number. */
function browserIn(folder: string): number | undefined {
  for (const profile of readdirSync(folder)) {
    try {
      const held = readlinkSync(join(folder, profile, "SingletonLock"));
      return Number(held.slice(held.lastIndexOf("-") + 1));
    } catch {
      // Not yet.
    }
  }
  return undefined;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const clean = { lost: 0, silent: 0 };

describe("the log, tortured on a disk in memory", () => {
  const options = { segmentBytes: 700, writes: 9, seed: 5, pairedBytes: 30 };
  const slow = { ...options, slowRename: true };

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
    ["renaming is slow, damaged everywhere", (c) => tortureByDamage(slow, true, c), 10_000],
    ["renaming is slow, damaged without a mark", (c) => tortureByDamage(slow, false, c), 10_000],
    [
      "renaming is slow, ended and failing at every call",
      (c) => tortureByFaults(slow, ["before", "within", "after", "EIO", "short", "fsync"], c),
      500,
    ],
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

describe("the command", () => {
  test("takes its browser along when it is told to stop", { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "logboom-stopped-"));
    const child = spawn(process.execPath, [script, "browser", "--rounds", "100"], {
      stdio: "ignore",
      env: { ...process.env, TMPDIR: folder },
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    const browser = await vi.waitUntil(() => browserIn(folder), { timeout: 30_000 });
    child.kill("SIGTERM");
    expect(await ended).toBe(143);
    await vi.waitUntil(() => !isRunning(browser), { timeout: 10_000 });
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const rows: [args: string[], told: RegExp][] = [
    [[], /say what: wal, kill, browser; got nothing/],
    [["nope"], /say what: .*; got nope/],
    [["toString"], /say what: .*; got toString/],
    [["kill", "browser"], /one kind at a time, got browser as well/],
    [["kill", "--rounds", "abc"], /--rounds is a whole number of at least 1, got abc/],
    [["kill", "--rounds", "0"], /--rounds is a whole number of at least 1, got 0/],
    [["browser", "--rounds", "1.5"], /--rounds is a whole number of at least 1, got 1\.5/],
    [["kill", "--rounds=-1"], /--rounds is a whole number of at least 1, got -1/],
    [["wal", "--writes", ""], /--writes is a whole number of at least 1, got/],
    [["wal", "--seed", "x"], /--seed is a whole number of at least 0, got x/],
    [["wal", "--rounds", "3"], /--rounds.* \(it takes --writes, --segment, --seed\)/],
    [["kill", "--rounds"], /--rounds.* \(it takes --rounds, --seed\)/],
    [["browser", "--backend", "files"], /--backend is indexeddb or opfs, got files/],
  ];
  test.each(rows)("%j is refused with a reason", async (args, told) => {
    const { code, text, errors } = await command(...args);
    expect({ code, text }).toEqual({ code: 2, text: "" });
    expect(errors).toMatch(told);
    expect(errors.split("\n")).toHaveLength(1);
  });
});

describe("the oracle of killed writers", () => {
  const opened = { boot: 1, created: true, storeId: "aa", compacted: 0, last: 0 };
  const life = (parts: Partial<Life>): Life => ({ ...newLife(), opened, ready: true, ...parts });
  const first = life({
    acked: [
      [1, 1],
      [2, 1],
    ],
  });
  const both = new Map([
    [1, 1],
    [2, 1],
  ]);
  const later = { ...opened, boot: 2, created: false, last: 2 };

  const rows: [name: string, second: Life, found: object][] = [
    ["what was acknowledged is there", life({ opened: later, has: both }), {}],
    [
      "an entry is gone",
      life({ opened: { ...later, last: 1 }, has: new Map([[1, 1]]) }),
      { lost: 1 },
    ],
    ["all is gone under the old identity", life({ opened: { ...later, last: 0 } }), { lost: 2 }],
    ["all is gone, and the identity", life({ opened: { ...opened, storeId: "bb" } }), { wiped: 1 }],
    [
      "another identity with the old entries",
      life({ opened: { ...opened, storeId: "bb", last: 2 }, has: both }),
      { wiped: 1, silent: 1 },
    ],
    [
      "bytes that nobody wrote",
      life({ opened: later, has: new Map([...both, [2, -1]]) }),
      { lost: 1, silent: 1 },
    ],
    [
      "a hole",
      life({ opened: { ...later, last: 4 }, has: new Map([...both, [4, 1]]) }),
      { silent: 1 },
    ],
    ["an older copy", life({ opened: { ...later, boot: 1 }, has: both }), { silent: 1 }],
    ["a store that does not open", life({ opened: undefined }), { lost: 1 }],
    ["an error", life({ opened: later, has: both, errors: "error so and so" }), { silent: 1 }],
  ];
  test.each(rows)("%s", (_name, second, found) => {
    const { result, judge } = createJudge();
    judge(1, first);
    judge(2, second);
    expect(result).toMatchObject({ cases: 2, acked: 2, lost: 0, silent: 0, wiped: 0, ...found });
  });
});
