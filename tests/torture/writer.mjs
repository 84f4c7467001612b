/**
 * What a tortured process does, in Node and in a page: says what its store holds, then writes until it is killed.
 *
 * Lines: `open <boot> <created> <storeId> <compacted> <last>`, `has <index> <round>` for each entry found, `ready`, then `ack
 * <index> <round>` once an entry is acknowledged. Several writes are under way at once, so that the store commits in groups.
 */

/** @typedef {import("../../dist/storage/storage.js").OpenedStore} OpenedStore */

const confState = {
  voters: [1],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** @param {number} index @param {number} by */
function dataOf(index, by) {
  const data = new Uint8Array(16 + (index % 300));
  const view = new DataView(data.buffer);
  view.setUint32(0, index);
  view.setUint32(4, by);
  for (let at = 8; at < data.length; at++) data[at] = (index * 31 + by * 7 + at) & 255;
  return data;
}

/** Which round wrote these bytes; −1 when they are nobody's. @param {number} index @param {Uint8Array} data */
function roundOf(index, data) {
  if (data.length < 8) return -1;
  const by = new DataView(data.buffer, data.byteOffset).getUint32(4);
  const right = dataOf(index, by);
  return right.length === data.length && right.every((byte, at) => byte === data[at]) ? by : -1;
}

/**
 * @param {OpenedStore} store @param {number} round @param {(line: string) => void} say
 * @returns {Promise<never>}
 */
export async function writeUntilKilled(store, round, say) {
  const loaded = await store.storage.load();
  const { boot, created, storeId } = store.identity;
  const id = [...storeId].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const last = loaded.entries.at(-1)?.index ?? loaded.compacted.index;
  say(`open ${boot} ${created ? 1 : 0} ${id} ${loaded.compacted.index} ${last}`);
  for (const { index, data } of loaded.entries) say(`has ${index} ${roundOf(index, data)}`);
  say("ready");

  let next = last + 1;
  let acked = last;
  let compacted = loaded.compacted.index;
  let commit = loaded.hardState.commit;

  const write = async () => {
    for (;;) {
      const from = next;
      const count = 1 + (from % 5);
      next += count;
      const entries = Array.from({ length: count }, (_, n) => ({
        term: round,
        index: from + n,
        type: /** @type {const} */ ("EntryNormal"),
        data: dataOf(from + n, round),
        unknown: undefined,
      }));
      const hardState = { term: round, vote: (round % 3) + 1, commit };
      await store.storage.append({ hardState, snapshot: undefined, entries, sync: true });
      for (const { index } of entries) say(`ack ${index} ${round}`);
      acked = Math.max(acked, from + count - 1);
    }
  };

  const compact = async () => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 3));
      if (acked - compacted < 200) continue;
      const index = acked - 20;
      const term = loaded.entries.find((entry) => entry.index === index)?.term ?? round;
      const at = { index, term, confState };
      const sink = await store.snapshots.write(at);
      await sink.write(dataOf(index, round));
      await sink.finish();
      commit = Math.max(commit, index);
      await store.storage.compact(at, index - 20);
      for (const old of (await store.snapshots.list()).slice(2)) await store.snapshots.drop(old);
      compacted = index - 20;
    }
  };

  await Promise.all([write(), write(), write(), compact()]);
  throw new Error("a writer ended");
}
