/**
 * The storage suite: what every adapter of `storage/storage.ts` must do, as a plain list of cases for any test runner.
 *
 *     for (const { name, run } of storageConformance) test(name, () => run(target()));
 *
 * Each case gets a target of its own, whose openings share one fresh medium. A case resolves, or rejects with an error
 * that says what was expected.
 */
import { isLogboomError } from "../../base/errors.js";
import { type Random, seededRandom } from "../../base/random.js";
import type { ConfState, Entry, HardState, Snapshot, SnapshotMetadata } from "../../core/types.js";
import { createMemoryMedium, openMemoryStore } from "../../storage/memory.js";
import type {
  Loaded,
  OpenedStore,
  SnapshotStore,
  StorageWrite,
  StoreOpenOptions,
} from "../../storage/storage.js";
import { check, rejects, same } from "./expect.js";

/** One medium under test. */
export interface StorageTarget {
  /** Opens it; the first time creates it. */
  open(options?: StoreOpenOptions): Promise<OpenedStore>;
  /**
   * Leaves an opened store as a killed process would, without `close`. Default: nothing, for adapters whose next opening takes
   * over.
   */
  abandon?(store: OpenedStore): Promise<void>;
}

export interface StorageCase {
  readonly name: string;
  run(target: StorageTarget): Promise<void>;
}

/** Entries `from` to `to`, both included, of one term. */
function entries(from: number, to: number, term: number, bytes = 5): Entry[] {
  const made: Entry[] = [];
  for (let index = from; index <= to; index++) {
    const data = new Uint8Array(bytes).fill((index * 7 + term) % 256);
    made.push({ term, index, type: "EntryNormal", data, unknown: undefined });
  }
  return made;
}

function write(
  parts: Partial<StorageWrite> & { readonly entries?: readonly Entry[] },
): StorageWrite {
  return { hardState: undefined, snapshot: undefined, entries: [], sync: true, ...parts };
}

function hard(term: number, vote: number, commit: number): HardState {
  return { term, vote, commit };
}

const confState: ConfState = {
  voters: [1, 2, 2 ** 53 - 1],
  learners: [4],
  votersOutgoing: [1, 2],
  learnersNext: [5],
  autoLeave: true,
};

function metadata(index: number, term: number): SnapshotMetadata {
  return { index, term, confState };
}

function snapshot(index: number, term: number, data = new Uint8Array([1, 2, 3])): Snapshot {
  return { metadata: metadata(index, term), data, unknown: undefined };
}

async function store(target: StorageTarget): Promise<{ opened: OpenedStore; loaded: Loaded }> {
  const opened = await target.open();
  return { opened, loaded: await opened.storage.load() };
}

async function reopen(
  target: StorageTarget,
  opened: OpenedStore,
): Promise<{ opened: OpenedStore; loaded: Loaded }> {
  await opened.storage.close();
  return await store(target);
}

async function crash(
  target: StorageTarget,
  opened: OpenedStore,
): Promise<{ opened: OpenedStore; loaded: Loaded }> {
  await target.abandon?.(opened);
  return await store(target);
}

async function writeBody(
  snapshots: SnapshotStore,
  about: SnapshotMetadata,
  chunks: readonly Uint8Array[],
): Promise<void> {
  const sink = await snapshots.write(about);
  for (const chunk of chunks) await sink.write(chunk);
  await sink.finish();
}

async function body(snapshots: SnapshotStore, about: SnapshotMetadata): Promise<number[]> {
  const bytes: number[] = [];
  for await (const chunk of snapshots.read(about)) for (const byte of chunk) bytes.push(byte);
  return bytes;
}

/** Everything a load says, with entries as `index/term`. */
function shown(loaded: Loaded): unknown {
  return {
    hardState: loaded.hardState,
    snapshot: loaded.snapshot?.index,
    compacted: loaded.compacted,
    entries: loaded.entries.map((entry) => `${entry.index}/${entry.term}`),
  };
}

function positions(from: number, to: number, term: number): string[] {
  return entries(from, to, term).map((entry) => `${entry.index}/${entry.term}`);
}

const opening: StorageCase[] = [
  {
    name: "a fresh store is empty, created, and in its first boot",
    async run(target) {
      const { opened, loaded } = await store(target);
      same(shown(loaded), {
        hardState: hard(0, 0, 0),
        snapshot: undefined,
        compacted: { index: 0, term: 0 },
        entries: [],
      });
      const { created, boot, storeId, signSeed } = opened.identity;
      same(
        { created, boot, id: storeId.length, seed: signSeed.length },
        {
          created: true,
          boot: 1,
          id: 16,
          seed: 32,
        },
      );
      await opened.storage.close();
    },
  },
  {
    name: "a reopened store has its identity again, and a higher boot",
    async run(target) {
      const first = await store(target);
      const second = await reopen(target, first.opened);
      const third = await crash(target, second.opened);
      same(third.opened.identity, { ...first.opened.identity, boot: 3, created: false });
      await third.opened.storage.close();
    },
  },
  {
    name: "two openings never both write: the earlier loses the store, or keeps it from the later",
    async run(target) {
      const { opened: earlier } = await store(target);
      let later: OpenedStore;
      try {
        later = await target.open();
      } catch (error) {
        check(isLogboomError(error) && error.code === "STORAGE_LOCKED", "the later is locked out");
        await earlier.storage.append(write({ entries: entries(1, 1, 1) }));
        await earlier.storage.close();
        return;
      }
      await later.storage.load();
      const told: Error[] = [];
      earlier.onLost((error) => told.push(error));
      const late = write({ entries: entries(1, 1, 1) });
      await rejects("STORAGE_LOCKED", () => earlier.storage.append(late));
      await rejects("STORAGE_LOCKED", () => earlier.storage.append(late));
      same(told.length, 1);
      await later.storage.append(write({ entries: entries(1, 2, 2) }));
      const { opened, loaded } = await reopen(target, later);
      same(loaded.entries, entries(1, 2, 2));
      await opened.storage.close();
    },
  },
  {
    name: "a closed store refuses everything, and can be closed again",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.close();
      await opened.storage.close();
      await rejects("CLOSED", () => opened.storage.append(write({ entries: entries(1, 1, 1) })));
      await rejects("CLOSED", () => opened.meta.get("a"));
      await rejects("CLOSED", () => opened.snapshots.list());
    },
  },
  {
    name: "what was acknowledged is demanded from the next opening, and less is refused",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(2, 3, 1), entries: entries(1, 4, 2) }));
      const acknowledged = opened.acknowledged();
      same(acknowledged.states, [{ term: 2, vote: 3, lastIndex: 4, lastTerm: 2 }]);
      await opened.storage.close();
      const again = await target.open({ notBelow: acknowledged });
      await again.storage.close();
      const more = {
        ...acknowledged,
        boot: again.identity.boot,
        states: [{ term: 2, vote: 3, lastIndex: 5, lastTerm: 2 }],
      };
      await rejects("STORE_WENT_BACK", () => target.open({ notBelow: more }));
      const foreign = { ...acknowledged, storeId: new Uint8Array(16) };
      await rejects("STORE_WENT_BACK", () => target.open({ notBelow: foreign }));
      const future = { ...acknowledged, boot: 1_000 };
      await rejects("STORE_WENT_BACK", () => target.open({ notBelow: future }));
    },
  },
];

const appending: StorageCase[] = [
  {
    name: "entries come back as they were: type, term, data and unknown fields",
    async run(target) {
      const { opened } = await store(target);
      const given: Entry[] = [
        { term: 1, index: 1, type: "EntryNormal", data: new Uint8Array(0), unknown: undefined },
        { term: 1, index: 2, type: "EntryConfChange", data: bytes(8, 1), unknown: bytes(32, 3) },
        { term: 3, index: 3, type: "EntryConfChangeV2", data: bytes(0, 255), unknown: undefined },
        { term: 2 ** 53 - 1, index: 4, type: "EntryNormal", data: bytes(0), unknown: undefined },
      ];
      await opened.storage.append(write({ entries: given.slice(0, 1) }));
      await opened.storage.append(write({ entries: given.slice(1) }));
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.entries, given);
      await after.storage.close();
    },
  },
  {
    name: "the last HardState comes back, with and without entries beside it",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(1, 0, 0) }));
      await opened.storage.append(write({ hardState: hard(1, 7, 0) }));
      await opened.storage.append(
        write({ hardState: hard(3, 2 ** 53 - 1, 2), entries: entries(1, 2, 3) }),
      );
      await opened.storage.append(write({ entries: entries(3, 3, 3) }));
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.hardState, hard(3, 2 ** 53 - 1, 2));
      await after.storage.close();
    },
  },
  {
    name: "a commit index without a flush of its own is kept by a close, and by the next flush",
    async run(target) {
      const first = await store(target);
      await first.opened.storage.append(
        write({ hardState: hard(1, 1, 0), entries: entries(1, 5, 1) }),
      );
      await first.opened.storage.append(write({ hardState: hard(1, 1, 3), sync: false }));
      const second = await reopen(target, first.opened);
      same(second.loaded.hardState.commit, 3);
      await second.opened.storage.append(write({ hardState: hard(1, 1, 5), sync: false }));
      await second.opened.storage.append(write({ entries: entries(6, 6, 1) }));
      const third = await crash(target, second.opened);
      same(third.loaded.hardState.commit, 5);
      await third.opened.storage.close();
    },
  },
  {
    name: "a term or a vote is durable even where no flush was asked for",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(4, 9, 0), sync: false }));
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.hardState, hard(4, 9, 0));
      await after.storage.close();
    },
  },
  {
    name: "entries are durable even where no flush was asked for",
    async run(target) {
      const { opened } = await store(target);
      const hardState = hard(1, 1, 2);
      await opened.storage.append(write({ hardState, entries: entries(1, 5, 1), sync: false }));
      const { opened: after, loaded } = await crash(target, opened);
      same([loaded.hardState, loaded.entries], [hardState, entries(1, 5, 1)]);
      await after.storage.close();
    },
  },
  ...cuts(),
  {
    name: "writes that are not awaited take effect in call order",
    async run(target) {
      const { opened } = await store(target);
      const { storage } = opened;
      const calls: Promise<void>[] = [];
      for (let index = 1; index <= 40; index++) {
        calls.push(storage.append(write({ entries: entries(index, index + 2, index) })));
      }
      await Promise.all(calls);
      const { opened: after, loaded } = await crash(target, opened);
      same(
        loaded.entries.map((entry) => entry.term),
        [...Array.from({ length: 40 }, (_, n) => n + 1), 40, 40],
      );
      await after.storage.close();
    },
  },
  {
    name: "large and many entries in one write come back",
    async run(target) {
      const { opened } = await store(target);
      const large = entries(1, 1, 1, 1_500_000);
      const many = entries(2, 3_001, 1, 100);
      await opened.storage.append(write({ entries: [...large, ...many] }));
      await opened.storage.append(write({ entries: entries(2_000, 2_001, 2) }));
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.entries.length, 2_001);
      same(loaded.entries[0], large[0]);
      same(loaded.entries[1_998], many[1_997]);
      same(loaded.entries.slice(1_999), entries(2_000, 2_001, 2));
      await after.storage.close();
    },
  },
  ...refusals(),
];

/** What is cut off by a later write stays away, wherever the cut falls among the earlier writes. */
function cuts(): StorageCase[] {
  const rows: [name: string, first: number, count: number][] = [
    ["within the last write", 9, 3],
    ["within the last write, leaving a shorter log", 9, 1],
    ["at the border of two writes", 8, 1],
    ["within an earlier write", 5, 2],
    ["at the first entry", 1, 1],
    ["right after the last entry", 11, 1],
  ];
  return rows.map(([name, first, count]) => ({
    name: `entries cut off by a later write never come back: a cut ${name}`,
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ entries: entries(1, 3, 1) }));
      await opened.storage.append(write({ entries: entries(4, 7, 1) }));
      await opened.storage.append(write({ entries: entries(8, 10, 1) }));
      await opened.storage.append(write({ entries: entries(first, first + count - 1, 2) }));
      const expected = [...positions(1, first - 1, 1), ...positions(first, first + count - 1, 2)];
      const after = await crash(target, opened);
      same(
        after.loaded.entries.map((entry) => `${entry.index}/${entry.term}`),
        expected,
      );
      const next = first + count;
      await after.opened.storage.append(write({ entries: entries(next, next, 2) }));
      const again = await reopen(target, after.opened);
      same(again.loaded.entries.length, next);
      await again.opened.storage.close();
    },
  }));
}

/** Writes that do not fit are refused and change nothing. */
function refusals(): StorageCase[] {
  const rows: [name: string, parts: Partial<StorageWrite>][] = [
    ["a gap after the last entry", { entries: entries(7, 7, 2) }],
    ["a gap within the entries", { entries: [...entries(6, 6, 2), ...entries(8, 8, 2)] }],
    ["an index of 0", { entries: entries(0, 1, 2) }],
    ["an entry's term that falls", { entries: entries(6, 6, 1) }],
    ["a committed entry replaced", { entries: entries(2, 2, 3) }],
    ["a term that falls", { hardState: hard(1, 0, 2) }],
    ["a second vote in one term", { hardState: hard(2, 2, 2) }],
    ["a commit beyond the end", { hardState: hard(2, 1, 6) }],
    ["a term that is no integer", { hardState: hard(2.5, 1, 2) }],
    ["a snapshot below the commit", { snapshot: snapshot(1, 1) }],
    ["a snapshot without a body", { snapshot: snapshot(9, 2, new Uint8Array(0)) }],
    ["a gap after a snapshot", { snapshot: snapshot(9, 2), entries: entries(11, 11, 2) }],
  ];
  return rows.map(([name, parts]) => ({
    name: `refused, changing nothing: ${name}`,
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(2, 1, 2), entries: entries(1, 5, 2) }));
      await rejects("BAD_INPUT", () => opened.storage.append(write(parts)));
      await opened.storage.append(write({ entries: entries(6, 6, 2) }));
      const { opened: after, loaded } = await crash(target, opened);
      same(shown(loaded), {
        hardState: hard(2, 1, 2),
        snapshot: undefined,
        compacted: { index: 0, term: 0 },
        entries: positions(1, 6, 2),
      });
      await after.storage.close();
    },
  }));
}

const snapshots: StorageCase[] = [
  {
    name: "an installed snapshot replaces the whole log, entries after it included",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(1, 1, 2), entries: entries(1, 9, 1) }));
      await opened.storage.append(write({ hardState: hard(4, 0, 6), snapshot: snapshot(6, 3) }));
      const { opened: after, loaded } = await crash(target, opened);
      same(shown(loaded), {
        hardState: hard(4, 0, 6),
        snapshot: 6,
        compacted: { index: 6, term: 3 },
        entries: [],
      });
      same(loaded.snapshot, metadata(6, 3));
      same(await body(after.snapshots, metadata(6, 3)), [1, 2, 3]);
      await after.storage.close();
    },
  },
  {
    name: "a snapshot and the entries after it land in one write",
    async run(target) {
      const { opened } = await store(target);
      await writeBody(opened.snapshots, metadata(6, 3), [bytes(9)]);
      const installed = snapshot(6, 3, new Uint8Array(0));
      await opened.storage.append(
        write({ hardState: hard(4, 0, 7), snapshot: installed, entries: entries(7, 9, 4) }),
      );
      const { opened: after, loaded } = await crash(target, opened);
      same(shown(loaded), {
        hardState: hard(4, 0, 7),
        snapshot: 6,
        compacted: { index: 6, term: 3 },
        entries: positions(7, 9, 4),
      });
      same(await body(after.snapshots, metadata(6, 3)), [9]);
      await after.storage.close();
    },
  },
  {
    name: "a snapshot raises the commit index where no HardState came with it",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ snapshot: snapshot(6, 3) }));
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.hardState.commit, 6);
      await after.storage.close();
    },
  },
  {
    name: "compaction keeps the entries after its point and loads from the snapshot",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(1, 1, 4), entries: entries(1, 4, 1) }));
      await opened.storage.append(write({ hardState: hard(1, 1, 8), entries: entries(5, 10, 1) }));
      await writeBody(opened.snapshots, metadata(8, 1), [bytes(1, 2)]);
      await opened.storage.compact(metadata(8, 1), 6);
      await opened.storage.append(write({ entries: entries(11, 11, 1) }));
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.snapshot, metadata(8, 1));
      same(loaded.hardState, hard(1, 1, 8));
      check(loaded.compacted.index <= 8, "compacted at or below the snapshot");
      const from = loaded.compacted.index + 1;
      same(shown({ ...loaded, compacted: { index: 0, term: 0 } }), {
        hardState: hard(1, 1, 8),
        snapshot: 8,
        compacted: { index: 0, term: 0 },
        entries: positions(from, 11, 1),
      });
      same(await body(after.snapshots, metadata(8, 1)), [1, 2]);
      await after.storage.close();
    },
  },
  {
    name: "compaction raises the commit index to its snapshot's",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(1, 1, 3), entries: entries(1, 9, 1) }));
      await writeBody(opened.snapshots, metadata(5, 1), [bytes(5)]);
      await opened.storage.compact(metadata(5, 1), 0);
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.hardState, hard(1, 1, 5));
      same(loaded.entries, entries(1, 9, 1));
      await after.storage.close();
    },
  },
  {
    name: "a log that was cut and then compacted does not get the cut part back",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ entries: entries(1, 10, 1) }));
      await opened.storage.append(write({ entries: entries(5, 6, 2) }));
      await opened.storage.append(write({ hardState: hard(2, 0, 6) }));
      await writeBody(opened.snapshots, metadata(6, 2), [bytes(1)]);
      await opened.storage.compact(metadata(6, 2), 6);
      const { opened: after, loaded } = await crash(target, opened);
      same(
        loaded.entries.filter((entry) => entry.index > 6),
        [],
      );
      await after.storage.append(write({ entries: entries(7, 7, 3) }));
      const again = await reopen(target, after);
      same(
        again.loaded.entries.filter((entry) => entry.index > 6),
        entries(7, 7, 3),
      );
      await again.opened.storage.close();
    },
  },
  {
    name: "compaction is refused beyond the snapshot, beyond the log, without a body, or against the log's term",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(1, 1, 5), entries: entries(1, 5, 1) }));
      await writeBody(opened.snapshots, metadata(4, 1), [bytes(1)]);
      await writeBody(opened.snapshots, metadata(4, 2), [bytes(1)]);
      await writeBody(opened.snapshots, metadata(9, 1), [bytes(1)]);
      await rejects("BAD_INPUT", () => opened.storage.compact(metadata(4, 1), 5));
      await rejects("BAD_INPUT", () => opened.storage.compact(metadata(9, 1), 5));
      await rejects("BAD_INPUT", () => opened.storage.compact(metadata(3, 1), 3));
      await rejects("BAD_INPUT", () => opened.storage.compact(metadata(4, 2), 4));
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.entries, entries(1, 5, 1));
      same(loaded.snapshot, undefined);
      await after.storage.close();
    },
  },
  {
    name: "a body that nobody named is not loaded from",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(1, 1, 5), entries: entries(1, 5, 1) }));
      await writeBody(opened.snapshots, metadata(5, 1), [bytes(1)]);
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.snapshot, undefined);
      same(loaded.entries, entries(1, 5, 1));
      await after.storage.close();
    },
  },
];

const bodies: StorageCase[] = [
  {
    name: "a body comes back in order, whatever the sizes of its chunks",
    async run(target) {
      const { opened } = await store(target);
      const random = seededRandom(11);
      const chunks = [0, 1, 70_000, 5, 1_300_000, 0, 65_536].map((size) => noise(random, size));
      await writeBody(opened.snapshots, metadata(7, 2), chunks);
      same(
        await body(opened.snapshots, metadata(7, 2)),
        chunks.flatMap((chunk) => [...chunk]),
      );
      await writeBody(opened.snapshots, metadata(9, 2), []);
      same(await body(opened.snapshots, metadata(9, 2)), []);
      await opened.storage.close();
    },
  },
  {
    name: "a chunk may be reused once it was written, and bodies may be written side by side",
    async run(target) {
      const { opened } = await store(target);
      const [one, two] = [metadata(3, 1), metadata(4, 1)];
      const sinks = [await opened.snapshots.write(one), await opened.snapshots.write(two)];
      const chunk = new Uint8Array(300_000);
      for (let n = 1; n <= 6; n++) {
        for (const [which, sink] of sinks.entries()) {
          chunk.fill(10 * which + n);
          await sink.write(chunk);
        }
      }
      chunk.fill(99);
      for (const sink of sinks) await sink.finish();
      for (const [which, about] of [one, two].entries()) {
        const read = await body(opened.snapshots, about);
        const kinds = [...new Set(read)].map((byte) => byte - 10 * which);
        same([read.length, kinds], [1_800_000, [1, 2, 3, 4, 5, 6]]);
      }
      await opened.storage.close();
    },
  },
  {
    name: "a body is listed once finished, newest first, and not when given up",
    async run(target) {
      const { opened } = await store(target);
      await writeBody(opened.snapshots, metadata(3, 1), [bytes(3)]);
      await writeBody(opened.snapshots, metadata(12, 2), [bytes(12)]);
      await writeBody(opened.snapshots, metadata(7, 2), [bytes(7)]);
      const given = await opened.snapshots.write(metadata(20, 2));
      await given.write(bytes(1, 2, 3));
      same(
        (await opened.snapshots.list()).map(({ index }) => index),
        [12, 7, 3],
      );
      await given.abort();
      await rejects("CLOSED", () => given.finish());
      same(await opened.snapshots.list(), [metadata(12, 2), metadata(7, 2), metadata(3, 1)]);
      await opened.snapshots.drop(metadata(7, 2));
      await opened.snapshots.drop(metadata(99, 2));
      same(
        (await opened.snapshots.list()).map(({ index }) => index),
        [12, 3],
      );
      await rejects("NOT_FOUND", () => body(opened.snapshots, metadata(7, 2)));
      await opened.storage.close();
    },
  },
  {
    name: "a second body under the same name takes the first one's place",
    async run(target) {
      const { opened } = await store(target);
      await writeBody(opened.snapshots, metadata(3, 1), [bytes(1), bytes(2)]);
      await writeBody(opened.snapshots, metadata(3, 1), [bytes(8, 9)]);
      same((await opened.snapshots.list()).length, 1);
      same(await body(opened.snapshots, metadata(3, 1)), [8, 9]);
      await opened.storage.close();
    },
  },
  {
    name: "an unfinished body is gone after a crash, a named one is not",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ snapshot: snapshot(4, 1, bytes(4)) }));
      const sink = await opened.snapshots.write(metadata(9, 1));
      await sink.write(new Uint8Array(2_000_000));
      const { opened: after } = await crash(target, opened);
      same(await after.snapshots.list(), [metadata(4, 1)]);
      await after.storage.close();
    },
  },
  {
    name: "the only snapshot the log needs is not dropped, an older one is",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ snapshot: snapshot(4, 1, bytes(4)) }));
      await rejects("BAD_INPUT", () => opened.snapshots.drop(metadata(4, 1)));
      await opened.storage.append(write({ snapshot: snapshot(9, 2, bytes(9)) }));
      await opened.snapshots.drop(metadata(4, 1));
      await rejects("BAD_INPUT", () => opened.snapshots.drop(metadata(9, 2)));
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.snapshot, metadata(9, 2));
      same(await after.snapshots.list(), [metadata(9, 2)]);
      await after.storage.close();
    },
  },
];

const values: StorageCase[] = [
  {
    name: "small values are kept, replaced and removed",
    async run(target) {
      const { opened } = await store(target);
      same(await opened.meta.get("secret"), undefined);
      await opened.meta.set("secret", bytes(1, 2));
      await opened.meta.set("other/ключ", new Uint8Array(0));
      await opened.meta.set("secret", bytes(3));
      const { opened: after } = await crash(target, opened);
      same(await after.meta.get("secret"), bytes(3));
      same(await after.meta.get("other/ключ"), new Uint8Array(0));
      await after.meta.set("secret", undefined);
      const again = await reopen(target, after);
      same(await again.opened.meta.get("secret"), undefined);
      await again.opened.storage.close();
    },
  },
  {
    name: "a value or key that is too large is refused, and the store goes on",
    async run(target) {
      const { opened } = await store(target);
      await opened.meta.set("k".repeat(256), new Uint8Array(1024 * 1024).fill(7));
      await rejects("BAD_INPUT", () => opened.meta.set("k", new Uint8Array(1024 * 1024 + 1)));
      await rejects("BAD_INPUT", () => opened.meta.set("k".repeat(257), bytes(1)));
      await rejects("BAD_INPUT", () => opened.meta.set("", bytes(1)));
      same((await opened.meta.get("k".repeat(256)))?.length, 1024 * 1024);
      await opened.storage.close();
    },
  },
];

/** Random lives, step by step beside the memory store; after each crash both hold the same. */
const lives: StorageCase[] = [1, 2, 3, 4, 5, 6].map((seed) => ({
  name: `a random life is the memory store's life (seed ${seed})`,
  async run(target) {
    const random = seededRandom(seed);
    const medium = createMemoryMedium();
    const model = { open: () => openMemoryStore({ medium }) };
    let ours = await store(target);
    let theirs = await store(model);
    for (let step = 0; step < 60; step++) {
      const act = nextAct(random, await theirs.opened.storage.load());
      await Promise.all([act(ours.opened), act(theirs.opened)]);
      if (random.below(6) > 0) continue;
      const renew = random.below(2) === 0 ? reopen : crash;
      ours = await renew(target, ours.opened);
      theirs = await renew(model, theirs.opened);
      sameAbove(ours.loaded, theirs.loaded);
    }
    await ours.opened.storage.close();
  },
}));

/** Equal, except that an adapter may keep more of a compacted log than it has to. */
function sameAbove(ours: Loaded, theirs: Loaded): void {
  const from = Math.max(ours.compacted.index, theirs.compacted.index);
  same(ours.snapshot, theirs.snapshot);
  same(ours.hardState, theirs.hardState);
  check(ours.compacted.index <= (ours.snapshot?.index ?? 0), "compacted at or below the snapshot");
  same(
    ours.entries.filter((entry) => entry.index > from),
    theirs.entries.filter((entry) => entry.index > from),
  );
}

function nextAct(random: Random, loaded: Loaded): (opened: OpenedStore) => Promise<void> {
  const { hardState, compacted } = loaded;
  const last = loaded.entries.at(-1) ?? compacted;
  const fixed = Math.max(hardState.commit, compacted.index);
  const term = Math.max(hardState.term, last.term, 1);
  const kind = random.below(10);
  if (kind < 5) {
    const back = random.below(3) === 0 ? random.below(last.index - fixed + 1) : 0;
    const first = last.index - back + 1;
    const added = entries(
      first,
      first + random.below(8),
      term + (back > 0 ? 1 : 0),
      random.below(90),
    );
    // A core never holds entries of a term it has not stored.
    const newest = added.at(-1)?.term ?? term;
    const hardState = newest > loaded.hardState.term ? hard(newest, 0, fixed) : undefined;
    return (opened) => opened.storage.append(write({ hardState, entries: added }));
  }
  if (kind < 7) {
    const state = hard(term + 1, random.below(4), fixed + random.below(last.index - fixed + 1));
    return (opened) => opened.storage.append(write({ hardState: state }));
  }
  if (kind === 7) {
    const installed = snapshot(last.index + 1 + random.below(5), term, noise(random, 3_000));
    const added = entries(
      installed.metadata.index + 1,
      installed.metadata.index + random.below(4),
      term,
    );
    const hardState = hard(term + 1, 0, installed.metadata.index);
    return (opened) =>
      opened.storage.append(write({ hardState, snapshot: installed, entries: added }));
  }
  const at = loaded.entries.find((entry) => entry.index === fixed);
  if (at === undefined) return async () => {};
  const upTo = compacted.index + random.below(fixed - compacted.index + 1);
  const content = noise(random, 100);
  return async (opened) => {
    await writeBody(opened.snapshots, metadata(at.index, at.term), [content]);
    await opened.storage.compact(metadata(at.index, at.term), upTo);
  };
}

function noise(random: Random, size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(size).map(() => random.below(256));
}

function bytes(...values: number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values);
}

export const storageConformance: readonly StorageCase[] = [
  ...opening,
  ...appending,
  ...snapshots,
  ...bodies,
  ...values,
  ...lives,
];
