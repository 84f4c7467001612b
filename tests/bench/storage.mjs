/**
 * Storage against the bare medium: the same bytes, written and flushed, by us and by a loop that does nothing else.
 *
 * Measured side by side in turns: `file, batch 1` … `opfs, batch 256`; then the loading of a long log, beside reading its files and summing
 * their bytes, and the checksum. `node tests/bench/storage.mjs [file] [load] [crc] [browser]`, by default all.
 */
import * as fs from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32c } from "../../dist/base/crc32c.js";
import { openFileStore } from "../../dist/storage/file.js";
import { WalWriter } from "../../dist/storage/wal-writer.js";
import { begin, printReport } from "./report.mjs";
import { checksum, compare, entriesOf, ratedOf } from "./storage-turns.mjs";

/** @typedef {import("./report.mjs").Figure} Figure */

const batches = [1, 16, 256];

/** @param {string[]} parts @returns {Promise<Figure[]>} */
async function run(parts) {
  const wanted = (/** @type {string} */ part) => parts.length === 0 || parts.includes(part);
  /** @type {Figure[]} */
  const results = [];
  if (wanted("crc")) results.push(checksum(`Node ${process.versions.node}`));
  if (wanted("file")) results.push(...(await files()));
  if (wanted("load")) results.push(...(await loading()));
  if (wanted("browser")) {
    begin("IndexedDB and OPFS");
    const { browser } = await import("./storage-browser.mjs");
    results.push(...(await browser(batches)));
  }
  return results;
}

/** @param {(directory: string) => Promise<T>} use @template T */
async function inDirectory(use) {
  const directory = mkdtempSync(join(tmpdir(), "logboom-bench-"));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function files() {
  begin("files");
  return await inDirectory(async (directory) => {
    const store = await openFileStore({ directory: join(directory, "store") });
    await store.storage.load();
    const descriptor = fs.openSync(join(directory, "bare"), "w");
    let next = 1;
    let offset = 0;
    /** @type {Figure[]} */
    const results = [];
    for (const batch of batches) {
      const bytes = framesOf(batch);
      const ours = {
        prepare() {
          const entries = entriesOf(next, batch);
          next += batch;
          return { hardState: undefined, snapshot: undefined, entries, sync: true };
        },
        run: (/** @type {import("../../dist/storage/storage.js").StorageWrite} */ write) =>
          store.storage.append(write),
      };
      const bare = {
        prepare() {},
        async run() {
          await call((done) => fs.write(descriptor, bytes, 0, bytes.length, offset, done));
          await call((done) => fs.fdatasync(descriptor, done));
          offset += bytes.length;
        },
      };
      results.push(await compare(`file, batch ${batch}`, batch, ours, bare));
    }
    fs.closeSync(descriptor);
    await store.storage.close();
    return results;
  });
}

/** What a batch is in the log: 256 bytes of data for each entry, and around it record and frame. @param {number} batch */
function framesOf(batch) {
  const writer = new WalWriter(0);
  // An index as long runs have it: numbers take more bytes the larger they are.
  for (const entry of entriesOf(100_000, batch)) writer.entry(entry);
  return writer.take().slice();
}

/** @param {(done: (error: Error | null) => void) => void} begin @returns {Promise<void>} */
function call(begin) {
  return new Promise((resolve, reject) => {
    begin((error) => (error === null ? resolve() : reject(error)));
  });
}

async function loading() {
  const count = 1_000_000;
  begin("loading");
  return await inDirectory(async (directory) => {
    const store = await openFileStore({ directory });
    await store.storage.load();
    for (let from = 1; from <= count; from += 10_000) {
      const entries = entriesOf(from, 10_000, 100);
      await store.storage.append({
        hardState: undefined,
        snapshot: undefined,
        entries,
        sync: true,
      });
    }
    await store.storage.close();
    const wal = join(directory, "member/wal");
    const logBytes = fs
      .readdirSync(wal)
      .reduce((sum, file) => sum + fs.statSync(join(wal, file)).blocks * 512, 0);
    /** @type {number[]} */ const rates = [];
    /** @type {number[]} */ const bareRates = [];
    let held = 0;
    for (let round = 0; round < 4; round++) {
      const before = await memory();
      const begun = performance.now();
      const opened = await openFileStore({ directory });
      const loaded = await opened.storage.load();
      rates.push((loaded.entries.length / (performance.now() - begun)) * 1000);
      held = Math.max(held, (await memory()) - before);
      if (loaded.entries.length !== count) throw new Error(`${loaded.entries.length} were loaded`);
      await opened.storage.close();
    }
    // Afterwards, since what it reads is memory too.
    for (let round = 0; round < 4; round++) bareRates.push((count / readAll(wal)) * 1000);
    const [ours, reference] = [ratedOf(rates), ratedOf(bareRates)];
    return [
      {
        name: "file, loading 1,000,000 entries of 100 B",
        unit: "entries/s",
        ours,
        reference,
        goal: { least: 500_000 },
      },
      {
        name: `file, memory for them, beside the log's bytes${globalThis.gc === undefined ? " (garbage too, without --expose-gc)" : ""}`,
        unit: "MB",
        ours: held / 1e6,
        reference: logBytes / 1e6,
        goal: { ratio: 1 / 3 },
      },
    ];
  });
}

/** What any reader of a log has to do at least: the milliseconds that it takes. @param {string} folder */
function readAll(folder) {
  const begun = performance.now();
  let sum = 0;
  for (const file of fs.readdirSync(folder).sort()) {
    sum = crc32c(fs.readFileSync(join(folder, file)), sum);
  }
  return performance.now() - begun;
}

/** What is held, in bytes: the second collection counts off what the first one set free. */
async function memory() {
  globalThis.gc?.();
  await new Promise((resolve) => setImmediate(resolve));
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

printReport("storage", "bare", await run(process.argv.slice(2)));
