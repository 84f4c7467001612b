/**
 * Storage against the bare medium: the same bytes, written and flushed, by us and by a loop that does nothing else.
 *
 * Results are ratios, ours to the bare loop's, measured side by side in turns: `file, batch 1` … `opfs, batch 256`; then the
 * loading of a long log, and the checksum. `node tests/bench/storage.mjs [file] [load] [crc] [browser]`, by default all.
 */
import * as fs from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFileStore } from "../../dist/storage/file.js";
import { WalWriter } from "../../dist/storage/wal-writer.js";
import { checksum, compare, entriesOf, ratedOf } from "./storage-turns.mjs";

/** @typedef {{ name: string, value: number, unit: string, target?: number, detail?: string }} Result */

const batches = [1, 16, 256];

/** @param {string[]} [parts] @returns {Promise<Result[]>} */
export async function run(parts = []) {
  const wanted = (/** @type {string} */ part) => parts.length === 0 || parts.includes(part);
  /** @type {Result[]} */
  const results = [];
  if (wanted("crc")) results.push(checksum(`Node ${process.versions.node}`));
  if (wanted("file")) results.push(...(await files()));
  if (wanted("load")) results.push(...(await loading()));
  if (wanted("browser")) {
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
  return await inDirectory(async (directory) => {
    const store = await openFileStore({ directory: join(directory, "store") });
    await store.storage.load();
    const descriptor = fs.openSync(join(directory, "bare"), "w");
    let next = 1;
    let offset = 0;
    /** @type {Result[]} */
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
    const rates = [];
    let held = 0;
    for (let round = 0; round < 4; round++) {
      globalThis.gc?.();
      const before = memory();
      const begun = performance.now();
      const opened = await openFileStore({ directory });
      const loaded = await opened.storage.load();
      rates.push((loaded.entries.length / (performance.now() - begun)) * 1000);
      globalThis.gc?.();
      held = Math.max(held, memory() - before);
      if (loaded.entries.length !== count) throw new Error(`${loaded.entries.length} were loaded`);
      await opened.storage.close();
    }
    return [
      {
        name: "file, loading 1,000,000 entries of 100 B",
        value: ratedOf(rates),
        unit: "entries/s",
        target: 500_000,
      },
      {
        name: "file, memory for them",
        value: held / logBytes,
        unit: "times the log's bytes",
        detail: `${Math.round(held / 1e6)} MB for ${Math.round(logBytes / 1e6)} MB, at most 3${globalThis.gc === undefined ? "; without --expose-gc garbage counts too" : ""}`,
      },
    ];
  });
}

function memory() {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

if (process.argv[1]?.endsWith("storage.mjs")) {
  for (const { name, value, unit, target, detail } of await run(process.argv.slice(2))) {
    const shown = value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(2);
    const wanted = target === undefined ? "" : ` (wanted: ${target.toLocaleString("en")})`;
    console.log(`${name}: ${shown} ${unit}${wanted}${detail === undefined ? "" : ` — ${detail}`}`);
  }
}
