/** Storage suite: snapshots that the log names: installed ones, and the log compacted behind our own. */
import { check, rejects, same } from "./expect.js";
import {
  body,
  bytes,
  crash,
  entries,
  hard,
  metadata,
  positions,
  reopen,
  type StorageCase,
  shown,
  snapshot,
  store,
  write,
  writeBody,
} from "./storage-target.js";

export const snapshots: readonly StorageCase[] = [
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
