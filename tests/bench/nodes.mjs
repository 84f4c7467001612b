/**
 * `npm run bench -- cluster`: three RaftNodes and commands of 100 bytes: commits per second and latency, with memory in one process,
 * with files in one, and as three processes over WebSockets, beside the rate of bare fdatasyncs on the same disk in the same minute.
 *
 * `node tests/bench/nodes.mjs [memory] [file] [processes] [soak]`; all but `soak` (ten minutes) by default.
 */
import { fork } from "node:child_process";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RaftNode } from "../../dist/runtime/index.js";
import { openFileStore } from "../../dist/storage/file.js";
import { openMemoryStore } from "../../dist/storage/memory.js";
import { createDirectNetwork } from "./direct-network.mjs";
import { createCounter, leaderOf, load } from "./load.mjs";

/** @typedef {{ name: string, value: number, unit: string, goal?: string, reached?: boolean }} Result */

const loadMs = 4000;
const idleMs = 10_000;
const parts = process.argv.slice(2);
const wanted = (/** @type {string} */ part) =>
  parts.includes(part) || (parts.length === 0 && part !== "soak");
/** @type {Result[]} */
const results = [];
const scratch = mkdtempSync(join(tmpdir(), "logboom-bench-"));

/** @param {string} name @param {number} value @param {string} unit @param {string} [goal] @param {boolean} [reached] */
function report(name, value, unit, goal, reached) {
  results.push({
    name,
    value,
    unit,
    ...(goal === undefined ? {} : { goal, reached: reached === true }),
  });
  const shown = value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(2);
  const judged = goal === undefined ? "" : `  (goal: ${goal}: ${reached ? "reached" : "MISSED"})`;
  console.log(`${name}: ${shown} ${unit}${judged}`);
}

/** @param {string} name @param {import("./load.mjs").Outcome} outcome */
function reportLoad(name, { rate, p50, p99 }) {
  report(name, rate, "commits/s");
  report(`${name}, p50`, p50, "ms");
  report(`${name}, p99`, p99, "ms");
}

/** Median milliseconds of writing 4 KiB and fdatasync. */
function flushMs() {
  const file = openSync(join(scratch, "flush"), "w");
  const bytes = new Uint8Array(4096);
  const times = [];
  for (let round = 0; round < 300; round++) {
    const from = performance.now();
    writeSync(file, bytes, 0, bytes.length, round * bytes.length);
    fdatasyncSync(file);
    times.push(performance.now() - from);
  }
  closeSync(file);
  times.sort((a, b) => a - b);
  return times[150] ?? Number.NaN;
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
    const full = `${name}, one process, ${outstanding} outstanding`;
    reportLoad(full, outcome);
    if (name === "memory" && outstanding === 256) {
      report(`${full}, of the goal`, outcome.rate / 100_000, "×", "1 ×", outcome.rate >= 100_000);
    }
  }
  await Promise.all(nodes.map((node) => node.close()));
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
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

async function threeProcesses() {
  const { children, leader } = await startProcesses();
  const one = await tell(leader, { what: "load", outstanding: 1, ms: loadMs });
  const many = await tell(leader, { what: "load", outstanding: 256, ms: loadMs });
  const flush = flushMs();
  report("fdatasync, alone", flush, "ms");
  const name = "file, three processes";
  reportLoad(`${name}, 1 outstanding`, one);
  const most = 2 * flush + 1;
  report(
    `${name}, 1 outstanding, p50 to 2 fdatasyncs + 1 ms`,
    one.p50 / most,
    "×",
    "≤ 1 ×",
    one.p50 <= most,
  );
  reportLoad(`${name}, 256 outstanding`, many);
  const ratio = many.rate / (1000 / flush);
  report(`${name}, 256 outstanding, to single fdatasyncs`, ratio, "×", "≥ 3 ×", ratio >= 3);
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
  await wait(1000);
  const before = await cpu();
  await wait(idleMs);
  const share = (100 * ((await cpu()) - before)) / idleMs;
  report("idle, three processes together", share, "% of one CPU", "≤ 1 %", share <= 1);
}

async function soak() {
  const { children, leader } = await startProcesses();
  await tell(leader, { what: "load", outstanding: 64, ms: 60_000 });
  const first = await tell(leader, { what: "heap" });
  await tell(leader, { what: "load", outstanding: 64, ms: 540_000 });
  const last = await tell(leader, { what: "heap" });
  report(
    "heap after ten minutes, to after the first",
    last.heap / first.heap,
    "×",
    "≤ 1.2 ×",
    last.heap <= 1.2 * first.heap,
  );
  report(
    "entries behind the last snapshot after ten minutes",
    last.log,
    "entries",
    "≤ 200,000",
    last.log <= 200_000,
  );
  for (const child of children) await tell(child, { what: "close" });
}

try {
  if (wanted("memory")) await oneProcess("memory", () => openMemoryStore());
  if (wanted("file")) {
    await oneProcess("file", (id) => openFileStore({ directory: join(scratch, `file-${id}`) }));
  }
  if (wanted("processes")) await threeProcesses();
  if (wanted("soak")) await soak();
  console.log(JSON.stringify({ bench: "cluster", results }));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
