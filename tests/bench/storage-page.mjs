/** The part of the storage benchmark that runs in a page. */
import { crc32c } from "../../dist/base/crc32c.js";
import { openIndexedDbStore } from "../../dist/storage/indexeddb.js";
import { openOpfsStore } from "../../dist/storage/opfs.js";
import { entriesOf, median, turns } from "./storage-turns.mjs";

/** @param {number[]} batches */
export async function measure(batches) {
  return [
    checksum(),
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
    const bytes = new Uint8Array(batch * (name === "opfs" ? 288 : 268));
    const [ours, theirs] = await turns(
      async () => {
        const entries = entriesOf(next, batch);
        next += batch;
        await store.storage.append({
          hardState: undefined,
          snapshot: undefined,
          entries,
          sync: true,
        });
      },
      () => bare(bytes),
    );
    const detail = `${Math.round(ours * batch)} entries/s, bare ${Math.round(theirs * batch)}`;
    results.push({
      name: `${name}, batch ${batch}`,
      value: ours / theirs,
      unit: "of bare",
      target: 0.8,
      detail,
    });
  }
  await store.storage.close();
  return results;
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

async function bareOpfs() {
  const worker = new Worker("/tests/bench/opfs-bare-worker.mjs", { type: "module" });
  const answer = () =>
    new Promise((resolve) => {
      worker.onmessage = resolve;
    });
  await answer();
  return async (bytes) => {
    const answered = answer();
    worker.postMessage(bytes);
    await answered;
  };
}

function checksum() {
  const bytes = new Uint8Array(1 << 20).map((_, at) => at * 7);
  let sum = 0;
  const rates = [];
  for (let round = 0; round < 9; round++) {
    const begun = performance.now();
    for (let n = 0; n < 50; n++) sum = crc32c(bytes, sum);
    rates.push((50 * bytes.length) / 1e6 / ((performance.now() - begun) / 1000));
  }
  return { name: "crc-32c, Chromium", value: median(rates), unit: "MB/s", target: 500 };
}
