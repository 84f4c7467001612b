/** Storage suite: what is appended comes back, what is cut off stays away, and what does not fit is refused. */
import type { Entry } from "../../core/types.js";
import type { StorageWrite } from "../../storage/storage.js";
import { rejects, same } from "./expect.js";
import {
  bytes,
  crash,
  entries,
  hard,
  positions,
  reopen,
  type StorageCase,
  shown,
  snapshot,
  store,
  write,
} from "./storage-target.js";

export const appending: readonly StorageCase[] = [
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
