#!/usr/bin/env node
/**
 * The simulator: `npm run sim -- [--seeds N] [--seed S] [--workers W] [--shrink] [--dist DIR]`.
 *
 * Runs the corpus (tests/sim/corpus), then N seeds from S on (default 200 from 1) on W threads (default: 1). A failing seed prints its options,
 * the invariant, the last events and how to run it again; `--shrink` also finds the fewest faults that still break it and keeps
 * them in the corpus (or in LOGBOOM_SIM_CORPUS). The last line is JSON: { seeds, events, violations, eventsPerSecond, sometimes }.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { build } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const corpus = resolve(root, process.env["LOGBOOM_SIM_CORPUS"] ?? "tests/sim/corpus");
const chunk = 20;
/** Those of 32 bits: beyond them they repeat themselves. */
const seedsInAll = 2 ** 32;

/** @param {string} dist */
function load(dist) {
  const from = (/** @type {string} */ name) =>
    import(pathToFileURL(join(dist, "testing", name)).href);
  return Promise.all([
    from("batch.js"),
    from("corpus.js"),
    from("shrink.js"),
    from("simulator.js"),
  ]);
}

async function work() {
  // Commands are not watched for clocks and dice here: replicas that differ show that as well, and 20 times faster.
  process.env.NODE_ENV = "production";
  const { dist } = workerData;
  const [{ emptyBatch, runSeedAll }] = await load(dist);
  const run = async (/** @type {{ from: number, count: number }} */ { from, count }) => {
    const batch = emptyBatch();
    for (let seed = from; seed < from + count; seed++) await runSeedAll(batch, { seed });
    parentPort?.postMessage({
      seeds: batch.seeds,
      events: batch.events,
      sometimes: [...batch.sometimes],
      failures: batch.failures.map((/** @type {any} */ failure) => report(failure)),
    });
  };
  parentPort?.on("message", (chunk) => void run(chunk));
}

/** @param {any} failure @param {string} [again]  what runs it again; a script of the corpus is not what its seed draws */
function report(
  { seed, options, violation, log },
  again = `npm run sim -- --seed ${seed} --seeds 1`,
) {
  const drawn = JSON.stringify(options, (_, value) => (value === Infinity ? "Infinity" : value));
  const what = `seed ${seed}: ${violation.message}`;
  return {
    seed,
    invariant: violation.invariant,
    text: `${what}\n${drawn}\n${log()}\n${what}\nagain: ${again}\n`,
  };
}

function readArguments() {
  // A negative number is a wrong value of its option, not an option.
  const args = process.argv
    .slice(2)
    .join("\0")
    .replace(/(--[a-z]+)\0(?=-\d)/g, "$1=")
    .split("\0");
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== ""),
    options: {
      seeds: { type: "string", default: "200" },
      seed: { type: "string", default: "1" },
      workers: { type: "string", default: "1" },
      shrink: { type: "boolean", default: false },
      dist: { type: "string", default: "" },
    },
  });
  const count = (/** @type {"seeds" | "seed" | "workers"} */ name, /** @type {number} */ least) => {
    const value = /^\d+$/.test(values[name]) ? Number(values[name]) : -1;
    if (value >= least && value < seedsInAll) return value;
    const rule = `a whole number from ${least} to ${seedsInAll - 1}`;
    throw new Error(`--${name} must be ${rule}, got ${JSON.stringify(values[name])}`);
  };
  const [seed, seeds] = [count("seed", 0), count("seeds", 0)];
  if (seed + seeds > seedsInAll) {
    throw new Error(
      `--seed ${seed} and --seeds ${seeds} go beyond the last seed, ${seedsInAll - 1}`,
    );
  }
  return {
    seed,
    seeds,
    workers: Math.min(count("workers", 1), 64),
    shrink: values.shrink,
    dist: values.dist,
  };
}

async function main() {
  const { seeds, seed, workers, shrink, dist: given } = readArguments();
  if (given === "") await build(["code"]);
  const dist = given === "" ? join(root, "dist") : given;
  const [{ emptyBatch, neverHappened }, cases, { shrink: shorten }, { simulateAll }] =
    await load(dist);
  process.env.NODE_ENV = "production";
  let violations = await runCorpus(cases);
  const total = emptyBatch();
  const began = performance.now();
  const failures = await runAll({ seeds, seed, workers, dist }, total);
  const seconds = (performance.now() - began) / 1000;
  for (const { text } of failures) console.log(text);
  violations += failures.length;
  if (shrink) {
    for (const failure of failures) await keep(failure, { ...cases, shorten, simulateAll });
  }
  const missing = neverHappened(total);
  for (const what of missing) console.log(`never happened in ${seeds} seeds: ${what}`);
  violations += missing.length;
  console.log(
    JSON.stringify({
      seeds: total.seeds,
      events: total.events,
      violations,
      eventsPerSecond: Math.round(total.events / Math.max(seconds, 0.001)),
      sometimes: Object.fromEntries([...total.sometimes].sort()),
    }),
  );
  if (violations > 0) process.exitCode = 1;
}

/** @param {any} cases */
async function runCorpus({ replayAll, readCase }) {
  let failed = 0;
  for (const file of readdirSync(corpus)
    .filter((name) => name.endsWith(".json"))
    .sort()) {
    const [failure] = await replayAll(readCase(readFileSync(join(corpus, file), "utf8")));
    if (failure === undefined) continue;
    failed++;
    console.log(`${file}\n${report(failure, "npm run sim -- --seeds 0").text}`);
  }
  return failed;
}

/**
 * @param {{ seeds: number, seed: number, workers: number, dist: string }} what
 * @param {any} total
 * @returns {Promise<{ seed: number, invariant: string, text: string }[]>}
 */
async function runAll({ seeds, seed, workers, dist }, total) {
  /** @type {any[]} */
  const failures = [];
  let next = seed;
  const end = seed + seeds;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { dist }, argv: [] });
      /** @type {{ resolve: (part: any) => void, reject: (error: unknown) => void }} */
      let waiting = { resolve: () => {}, reject: () => {} };
      worker.on("message", (part) => waiting.resolve(part));
      worker.on("error", (error) => waiting.reject(error));
      while (next < end) {
        const from = next;
        const count = Math.min(chunk, end - next);
        next += count;
        const done = new Promise((resolve, reject) => {
          waiting = { resolve, reject };
        });
        worker.postMessage({ from, count });
        const part = await done;
        total.seeds += part.seeds;
        total.events += part.events;
        for (const [what, times] of part.sometimes) {
          total.sometimes.set(what, (total.sometimes.get(what) ?? 0) + times);
        }
        failures.push(...part.failures);
      }
      await worker.terminate();
    }),
  );
  return failures.sort((a, b) => a.seed - b.seed);
}

/** @param {{ seed: number }} failure @param {any} parts */
async function keep({ seed }, { simulateAll, shorten, writeCase }) {
  const failing = await simulateAll({ seed });
  if (failing.violation === undefined) return;
  const script = await shorten(failing, { seed });
  const { options } = failing;
  const { invariant, message } = failing.violation;
  const [found] = message.split("\n");
  const name = createHash("sha256").update(JSON.stringify(script)).digest("hex").slice(0, 8);
  const file = join(corpus, `${invariant}-${name}.json`);
  writeFileSync(file, writeCase({ seed, invariant, found, options, script }));
  console.log(`${failing.script.length} lines shortened to ${script.length}: ${file}`);
}

if (isMainThread) {
  try {
    await main();
  } catch (error) {
    console.error(/** @type {Error} */ (error).message);
    process.exitCode = 2;
  }
} else await work();
