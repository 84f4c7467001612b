/** Runs in a page: writes to a store until the browser has no more room for it. */
import { openIndexedDbStore } from "../../dist/storage/indexeddb.js";
import { openOpfsStore } from "../../dist/storage/opfs.js";

const opens = {
  // Keeps every entry, so that it fills.
  opfs: () => openOpfsStore({ name: "quota", trailingEntries: 1_000_000 }),
  indexeddb: () => openIndexedDbStore({ name: "quota" }),
};

/**
 * @typedef {object} Life
 * @property {boolean} created
 * @property {number} found  index of the last entry that was there
 * @property {number} acked  index of the last entry that was acknowledged
 * @property {string} failure  code, outcome and message of the write that failed
 * @property {string[]} after  the same of two more
 * @property {number} told  how often the store said that it is lost
 */

/** @param {"opfs" | "indexeddb"} backend @returns {Promise<Life>} */
export async function fillUp(backend) {
  const { storage, identity, onLost } = await opens[backend]();
  let told = 0;
  onLost(() => told++);
  const { entries, compacted } = await storage.load();
  const found = entries.at(-1)?.index ?? compacted.index;
  let acked = found;
  const append = async () => {
    try {
      await storage.append(writeAfter(acked));
      acked++;
      return undefined;
    } catch (error) {
      return `${error.code}, ${error.outcome}: ${error.message}`;
    }
  };
  let failure;
  while (failure === undefined) failure = await append();
  const after = [await append(), await append()].map(String);
  await storage.close();
  return { created: identity.created, found, acked, failure, after, told };
}

/** @param {number} last @returns {import("../../dist/storage/storage.js").StorageWrite} */
function writeAfter(last) {
  // Random, since a database packs what it keeps.
  const data = crypto.getRandomValues(new Uint8Array(20_000));
  const entry = { term: 1, index: last + 1, type: "EntryNormal", data, unknown: undefined };
  const hardState = { term: 1, vote: 1, commit: last };
  return { hardState, snapshot: undefined, entries: [entry], sync: true };
}
