/** The part of the storage benchmark that runs in a page. */
import { openIndexedDbStore } from "../../dist/storage/indexeddb.js";
import { encodeRecord } from "../../dist/storage/log-record.js";
import { emptyShape } from "../../dist/storage/log-shape.js";
import { openOpfsStore } from "../../dist/storage/opfs.js";
import { WalWriter } from "../../dist/storage/wal-writer.js";
import { checksum, compare, entriesOf } from "./storage-turns.mjs";

/** @param {number[]} batches */
async function measureAll(batches) {
  return [
    checksum("Chromium"),
    ...(await side(
      "indexeddb",
      batches,
      () => openIndexedDbStore({ name: "bench" }),
      bareIndexedDb,
    )),
    ...(await side("opfs", batches, () => openOpfsStore({ name: "bench" }), bareOpfs)),
  ];
}

async function side(name, batches, open, bareOf) {
  const store = await open();
  await store.storage.load();
  const bare = await bareOf();
  const results = [];
  let next = 1;
  for (const batch of batches) {
    const entries = entriesOf(100_000, batch);
    const bytes = name === "opfs" ? framesOf(entries) : recordOf(entries);
    const ours = {
      prepare() {
        const entries = entriesOf(next, batch);
        next += batch;
        return { hardState: undefined, snapshot: undefined, entries, sync: true };
      },
      run: (write) => store.storage.append(write),
    };
    results.push(
      await compare(`${name}, batch ${batch}`, batch, ours, {
        prepare: () => bytes.slice(),
        run: bare,
      }),
    );
  }
  await store.storage.close();
  return results;
}

/** As they lie in a database. */
function recordOf(entries) {
  return encodeRecord({ takesOver: false, boot: 1, from: 1, shape: emptyShape, entries });
}

/** As they lie in a file. */
function framesOf(entries) {
  const writer = new WalWriter(0);
  for (const entry of entries) writer.entry(entry);
  return writer.take().slice();
}

/** One strict put per transaction. */
async function bareIndexedDb() {
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open("bare");
    request.onupgradeneeded = () => request.result.createObjectStore("values");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  let key = 0;
  return (bytes) =>
    new Promise((resolve, reject) => {
      const transaction = database.transaction(["values"], "readwrite", { durability: "strict" });
      transaction.objectStore("values").put(bytes, key++);
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      transaction.commit();
    });
}

/** A page cannot flush: it gives the bytes to a worker, which writes them at the file's end and flushes. */
async function bareOpfs() {
  const worker = new Worker("/tests/bench/opfs-bare-worker.mjs", { type: "module" });
  const answer = () =>
    new Promise((resolve) => {
      worker.onmessage = resolve;
    });
  await answer();
  return async (bytes) => {
    const answered = answer();
    worker.postMessage(bytes, [bytes.buffer]);
    await answered;
  };
}
export async function measure(batches) {
  return await side("opfs", batches, () => openOpfsStore({ name: "bench" }), bareOpfs);
}
