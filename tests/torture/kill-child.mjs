/**
 * The child of `torture kill`: opens the store in argv[2], says what it found, then writes until it is killed.
 *
 * Lines to the parent: `open <boot> <term> <compacted> <last>`, `has <index> <round>` for each entry, `ack <index> <round>` once an
 * entry is acknowledged. Several writes are under way at once, so that the store commits them in groups.
 */
import { writeSync } from "node:fs";
import { openFileStore } from "../../dist/storage/file.js";

const [directory = "", roundText = "0"] = process.argv.slice(2);
const round = Number(roundText);
/** @param {string} line */
const say = (line) => writeSync(1, `${line}\n`);

/** @param {number} index @param {number} by */
function dataOf(index, by) {
  const data = new Uint8Array(16 + (index % 300));
  const view = new DataView(data.buffer);
  view.setUint32(0, index);
  view.setUint32(4, by);
  for (let at = 8; at < data.length; at++) data[at] = (index * 31 + by * 7 + at) & 255;
  return data;
}

const store = await openFileStore({ directory, segmentBytes: 100_000, trailingEntries: 50 });
const loaded = await store.storage.load();
const last = loaded.entries.at(-1)?.index ?? loaded.compacted.index;
say(`open ${store.identity.boot} ${loaded.hardState.term} ${loaded.compacted.index} ${last}`);
for (const { index, data } of loaded.entries) {
  const by = new DataView(data.buffer, data.byteOffset).getUint32(4);
  const right = dataOf(index, by);
  const whole = right.length === data.length && right.every((byte, at) => byte === data[at]);
  say(`has ${index} ${whole ? by : -1}`);
}
say("ready");

let next = last + 1;
let acked = last;
let compacted = loaded.compacted.index;
let commit = loaded.hardState.commit;
const term = round;

async function writer() {
  for (;;) {
    const from = next;
    const count = 1 + (from % 5);
    next += count;
    const entries = Array.from({ length: count }, (_, n) => ({
      term,
      index: from + n,
      type: /** @type {const} */ ("EntryNormal"),
      data: dataOf(from + n, round),
      unknown: undefined,
    }));
    const hardState = { term, vote: (round % 3) + 1, commit };
    await store.storage.append({ hardState, snapshot: undefined, entries, sync: true });
    for (const { index } of entries) say(`ack ${index} ${round}`);
    acked = Math.max(acked, from + count - 1);
  }
}

async function compactor() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 3));
    if (acked - compacted < 200) continue;
    const index = acked - 20;
    const at = {
      index,
      term: index > last ? term : await termAt(index),
      confState: {
        voters: [1],
        learners: [],
        votersOutgoing: [],
        learnersNext: [],
        autoLeave: false,
      },
    };
    const sink = await store.snapshots.write(at);
    await sink.write(dataOf(index, round));
    await sink.finish();
    commit = Math.max(commit, index);
    await store.storage.compact(at, index - 20);
    for (const old of (await store.snapshots.list()).slice(2)) await store.snapshots.drop(old);
    compacted = index - 20;
  }
}

/** @param {number} index */
async function termAt(index) {
  return loaded.entries.find((entry) => entry.index === index)?.term ?? term;
}

await Promise.all([writer(), writer(), writer(), compactor()]);
