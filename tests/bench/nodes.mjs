/**
 * `npm run bench -- cluster`: three RaftNodes and commands of 100 bytes: commits per second and latency, with memory in one process,
 * with files in one, and as three processes over WebSockets, beside the rate of bare fdatasyncs on the same disk in the same minute.
 *
 * `node tests/bench/nodes.mjs [memory] [file] [processes] [soak]`; all but `soak` (ten minutes) by default.
 */
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../.ci/free-port.mjs";
import { RaftNode } from "../../dist/runtime/index.js";
import { openFileStore } from "../../dist/storage/file.js";
import { openMemoryStore } from "../../dist/storage/memory.js";
import { createDirectNetwork } from "./direct-network.mjs";
import { createCounter, leaderOf, load } from "./load.mjs";
import { median } from "./measure.mjs";
import { begin, printReport } from "./report.mjs";

const loadMs = 4000;
const idleMs = 30_000;
/** After a load, until the engine has given back the memory that it took. */
const settleMs = 30_000;
/** Loads and bare flushes take turns so often, because a disk is not the same from second to second. */
const rounds = 5;
const parts = process.argv.slice(2);
const wanted = (/** @type {string} */ part) =>
  parts.includes(part) || (parts.length === 0 && part !== "soak");
/** @type {import("./report.mjs").Figure[]} */
const figures = [];
const scratch = mkdtempSync(join(tmpdir(), "logboom-bench-"));

/**
 * @param {string} name
 * @param {string} unit
 * @param {number} ours
 * @param {{ reference?: number, goal?: import("./report.mjs").Goal }} [beside]
 */
function report(name, unit, ours, beside = {}) {
  figures.push({ name, unit, ours, ...beside });
}

/** @param {string} name @param {import("./load.mjs").Outcome} outcome @param {import("./report.mjs").Goal} [goal]  of the rate */
function reportLoad(name, { rate, p50, p99, unknown }, goal) {
  if (unknown > 0) report(`${name}, without an answer`, "commands", unknown);
  report(name, "commits/s", rate, goal === undefined ? {} : { goal });
  report(`${name}, p50`, "ms", p50);
  report(`${name}, p99`, "ms", p99);
}

/** Milliseconds that each of 100 times took: writing 4 KiB and fdatasync, as a store does them. */
async function flushes() {
  const file = await open(join(scratch, "flush"), "w");
  const bytes = new Uint8Array(4096);
  const times = [];
  for (let round = 0; round < 100; round++) {
    const from = performance.now();
    await file.write(bytes, 0, bytes.length, round * bytes.length);
    await file.datasync();
    times.push(performance.now() - from);
  }
  await file.close();
  return times;
}

/** @param {string} name @param {(id: number) => Promise<import("../../dist/storage/storage.js").OpenedStore>} openStore */
async function oneProcess(name, openStore) {
  const network = createDirectNetwork();
  const nodes = await Promise.all(
    [1, 2, 3].map(async (id) =>
      RaftNode.open({
        id,
        store: await openStore(id),
        transport: network.open(id),
        machine: createCounter(),
        bootstrap: { voters: [1, 2, 3] },
        snapshotPolicy: { entries: 10_000, bytes: 64_000_000, trailingEntries: 1_000 },
      }),
    ),
  );
  const leader = await leaderOf(nodes);
  for (const outstanding of [1, 256]) {
    const outcome = await load(leader, outstanding, loadMs);
    const goal = name === "memory" && outstanding === 256 ? { least: 100_000 } : undefined;
    reportLoad(`${name}, one process, ${outstanding} outstanding`, outcome, goal);
  }
  await Promise.all(nodes.map((node) => node.close()));
}

/** @param {import("node:child_process").ChildProcess} child @param {object} [order] @returns {Promise<any>} */
function tell(child, order) {
  return new Promise((resolve, reject) => {
    child.once("message", (/** @type {any} */ { answer }) => {
      if (answer?.error === undefined) resolve(answer);
      else reject(new Error(answer.error));
    });
    if (order !== undefined) child.send(order);
  });
}

async function startProcesses() {
  const ports = [await freePort(), await freePort(), await freePort()];
  const script = fileURLToPath(new URL("cluster-child.mjs", import.meta.url));
  const children = [1, 2, 3].map((id) =>
    fork(script, [String(id), join(scratch, `process-${id}`), ports.join(",")], {
      execArgv: ["--expose-gc"],
    }),
  );
  await Promise.all(children.map((child) => tell(child)));
  const id = await tell(/** @type {any} */ (children[0]), { what: "leader" });
  return { children, leader: /** @type {any} */ (children[id - 1]) };
}

/** Loads between bare flushes: medians of the loads' figures, and of all flushes. @param {import("node:child_process").ChildProcess} leader @param {number} outstanding */
async function besideFlushes(leader, outstanding) {
  const times = await flushes();
  /** @type {import("./load.mjs").Outcome[]} */
  const outcomes = [];
  for (let round = 0; round < rounds; round++) {
    outcomes.push(await tell(leader, { what: "load", outstanding, ms: 2000 }));
    times.push(...(await flushes()));
  }
  const of = (/** @type {"rate" | "p50" | "p99"} */ key) => median(outcomes.map((o) => o[key]));
  const unknown = outcomes.reduce((sum, o) => sum + o.unknown, 0);
  return { rate: of("rate"), p50: of("p50"), p99: of("p99"), unknown, flush: median(times) };
}

async function threeProcesses() {
  const { children, leader } = await startProcesses();
  const name = "file, three processes";
  const one = await besideFlushes(leader, 1);
  reportLoad(`${name}, 1 outstanding`, one);
  report(`${name}, 1 outstanding, p50 beside 2 fdatasyncs + 1 ms`, "ms", one.p50, {
    reference: 2 * one.flush + 1,
    goal: { ratio: 1 },
  });
  const many = await besideFlushes(leader, 256);
  reportLoad(`${name}, 256 outstanding`, many);
  report(`${name}, 256 outstanding, beside single fdatasyncs`, "commits/s", many.rate, {
    reference: 1000 / many.flush,
    goal: { ratio: 3 },
  });
  await idle(children);
  for (const child of children) await tell(child, { what: "close" });
}

const wait = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {import("node:child_process").ChildProcess[]} children */
async function idle(children) {
  const cpu = async () => {
    let ms = 0;
    for (const child of children) ms += await tell(child, { what: "cpu" });
    return ms;
  };
  await wait(settleMs);
  const before = await cpu();
  await wait(idleMs);
  const share = (100 * ((await cpu()) - before)) / idleMs;
  report("idle, three processes together", "% of one CPU", share, { goal: { most: 1 } });
}

async function soak() {
  const { children, leader } = await startProcesses();
  /** @type {{ heap: number, buffers: number, log: number, disk: number }[]} at the leader, after each minute */
  const minutes = [];
  for (let minute = 1; minute <= 10; minute++) {
    const load = await tell(leader, { what: "load", outstanding: 64, ms: 60_000 });
    reportLoad(`minute ${minute}, 64 outstanding`, load);
    const { heap, buffers, log, disk } = await tell(leader, { what: "heap" });
    minutes.push({ heap, buffers, log, disk });
    report(`heap after minute ${minute}`, "MB", heap / 1e6);
    report(`buffers after minute ${minute}`, "MB", buffers / 1e6);
    report(`entries behind the last snapshot after minute ${minute}`, "entries", log);
    report(`log on disk after minute ${minute}`, "MB", disk / 1e6);
  }
  const heaps = minutes.map(({ heap }) => heap);
  report(
    "heap, the last three minutes' median beside the first's",
    "MB",
    median(heaps.slice(-3)) / 1e6,
    {
      reference: (heaps[0] ?? Number.NaN) / 1e6,
      goal: { ratio: 1 / 1.2 },
    },
  );
  const logs = Math.max(...minutes.map(({ log }) => log));
  report("entries behind the last snapshot, the most", "entries", logs, { goal: { most: 20_000 } });
  const disks = Math.max(...minutes.map(({ disk }) => disk)) / 1e6;
  report("log on disk, the most", "MB", disks, { goal: { most: 640 } });
  for (const child of children) await tell(child, { what: "close" });
}

try {
  if (wanted("memory") || wanted("file")) begin("three nodes in this process");
  if (wanted("memory")) await oneProcess("memory", () => openMemoryStore());
  if (wanted("file")) {
    await oneProcess("file", (id) => openFileStore({ directory: join(scratch, `file-${id}`) }));
  }
  if (wanted("processes")) begin("three processes");
  if (wanted("processes")) await threeProcesses();
  if (wanted("soak")) await soak();
  printReport("cluster", "reference", figures);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
