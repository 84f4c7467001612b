import { describe, expect, test } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import type { Entry, SnapshotMetadata } from "../../lib/core/types.js";
import { inspect } from "../../lib/edge/inspect.js";
import type { Loaded, OpenedStore, StorageWrite } from "../../lib/storage/storage.js";
import { readMark, readSegments } from "../../lib/storage/wal-files.js";
import { allAfter } from "../../lib/storage/wal-replay.js";
import { fileLimits, openWalStore, type WalStoreOptions } from "../../lib/storage/wal-store.js";
import { WalWriter } from "../../lib/storage/wal-writer.js";
import { createMemoryDisk, type MemoryDisk } from "../../lib/testing/disk.js";

const limits = { segmentBytes: 600, segmentsKept: 100 };
const wal = "member/wal";
const confState = {
  voters: [1, 2],
  learners: [3],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

function entries(from: number, to: number, term = 1): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, n) => ({
    term,
    index: from + n,
    type: "EntryNormal",
    data: new TextEncoder().encode(`entry ${from + n}`),
    unknown: undefined,
  }));
}

function write(parts: Partial<StorageWrite>): StorageWrite {
  return { hardState: undefined, snapshot: undefined, entries: [], sync: true, ...parts };
}

async function openOn(disk: MemoryDisk, options: WalStoreOptions = {}): Promise<OpenedStore> {
  return await openWalStore(disk.directory, limits, options);
}

async function snapshot(store: OpenedStore, index: number, upTo: number): Promise<void> {
  const metadata: SnapshotMetadata = { index, term: 1, confState };
  const sink = await store.snapshots.write(metadata);
  await sink.write(Uint8Array.of(index));
  await sink.finish();
  await store.storage.compact(metadata, upTo);
}

/** Thirty entries in several segments, snapshots at 10 and 20, nothing released; left as by a killed process. */
async function filled(): Promise<MemoryDisk> {
  const disk = createMemoryDisk();
  const store = await openOn(disk);
  await store.storage.load();
  for (let index = 1; index <= 30; index += 3) {
    const hardState = { term: 1, vote: 1, commit: index };
    await store.storage.append(write({ hardState, entries: entries(index, index + 2) }));
    if (index === 10 || index === 19) await snapshot(store, index, 0);
  }
  return disk.crash("all", seededRandom(1));
}

/** A log whose first segments were released, and the one snapshot from which it goes on. */
async function released(): Promise<MemoryDisk> {
  const disk = await filled();
  const store = await openWalStore(disk.directory, { ...limits, segmentsKept: 0 });
  await store.storage.load();
  await store.storage.append(write({ hardState: { term: 1, vote: 1, commit: 30 } }));
  const before = segmentsOf(disk).length;
  await snapshot(store, 30, 30);
  await store.storage.close();
  expect(segmentsOf(disk).length).toBeLessThan(before);
  const again = await openOn(disk.copy());
  expect((await again.storage.load()).snapshot?.index).toBe(30);
  return disk;
}

const snapshotsOf = (disk: MemoryDisk): string[] =>
  disk.paths().filter((path) => path.endsWith(".snap"));
const segmentsOf = (disk: MemoryDisk): string[] =>
  disk.paths().filter((path) => path.endsWith(".wal"));

/** Where the data of a segment end. */
function usedBytes(disk: MemoryDisk, path: string): number {
  const bytes = disk.bytes(path);
  let used = bytes.length;
  while (used > 0 && bytes[used - 1] === 0) used--;
  return used;
}

async function report(disk: MemoryDisk, verify: boolean): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const code = await inspect(disk.directory, { verify, print: (line) => lines.push(line) });
  return { code, text: lines.join("\n") };
}

describe("opening a log", () => {
  test("segments are cut, named by their first index, end after their last frame, and allocated ahead", async () => {
    const disk = await filled();
    const segments = segmentsOf(disk);
    expect(segments.length).toBe(3);
    expect(segments[0]).toBe(`${wal}/0000000000000000-0000000000000000.wal`);
    for (const path of segments.slice(0, -1)) {
      expect(disk.bytes(path).length).toBeGreaterThanOrEqual(600);
      expect(disk.bytes(path).length - usedBytes(disk, path)).toBeLessThan(8);
    }
    const open = segments.at(-1) ?? "";
    expect(disk.bytes(open).length).toBe(600);
    const { replay } = await readSegments(disk.directory, wal, allAfter(0));
    expect(replay.entries).toEqual(entries(1, 30));
  });

  test("a torn last write is cut off after a copy to .broken, and the log goes on", async () => {
    const disk = await filled();
    const last = segmentsOf(disk).at(-1) ?? "";
    const whole = disk.bytes(last);
    // One more record that was begun: its length is there, its body is not.
    const torn = whole.slice();
    torn[usedBytes(disk, last) + ((8 - (usedBytes(disk, last) % 8)) % 8)] = 24;
    disk.damage(last, torn);
    const store = await openOn(disk);
    expect((await store.storage.load()).entries.at(-1)?.index).toBe(30);
    expect(disk.bytes(`${last}.broken`)).toEqual(torn);
    await store.storage.append(write({ entries: entries(31, 31) }));
    await store.storage.close();
    const again = await openOn(disk);
    expect((await again.storage.load()).entries.at(-1)?.index).toBe(31);
  });

  test("the copy is on the disk before anything is cut off, wherever the opening ends", async () => {
    const disk = await filled();
    const last = segmentsOf(disk).at(-1) ?? "";
    const torn = disk.bytes(last).slice();
    torn[Math.ceil(usedBytes(disk, last) / 8) * 8] = 24;
    disk.damage(last, torn);
    for (let number = 1; ; number++) {
      const copy = disk.copy({
        fault: (n) => (n === number ? { kind: "crash", when: "after" } : undefined),
      });
      const opened = await openOn(copy).catch(() => undefined);
      for (const survives of ["none", "all"] as const) {
        const after = copy.crash(survives, seededRandom(number));
        if (String(after.bytes(last)) === String(torn)) continue;
        expect(after.paths()).toContain(`${last}.broken`);
        expect(after.bytes(`${last}.broken`)).toEqual(torn);
      }
      if (opened !== undefined) break;
    }
  });

  test("what lies behind a length of zero is wiped, so that no later write can end at it", async () => {
    const disk = await filled();
    const last = segmentsOf(disk).at(-1) ?? "";
    const end = Math.ceil(usedBytes(disk, last) / 8) * 8;
    const garbage = new Uint8Array(end + 400);
    garbage.set(disk.bytes(last).subarray(0, end));
    // The write's first sector was lost, a later one was not.
    for (let at = end + 16; at < garbage.length; at += 8) garbage[at] = 8;
    disk.damage(last, garbage);
    const store = await openOn(disk);
    await store.storage.load();
    await store.storage.append(write({ entries: entries(31, 31) }));
    const again = await openOn(disk.crash("all", seededRandom(1)));
    expect((await again.storage.load()).entries.at(-1)?.index).toBe(31);
  });

  test("damage before the synced mark is reported with file and offset, and nothing is changed", async () => {
    const disk = await filled();
    for (const path of segmentsOf(disk)) {
      const copy = disk.copy();
      const bytes = copy.bytes(path).slice();
      const at = usedBytes(disk, path) - 10;
      bytes[at] = (bytes[at] ?? 0) ^ 0x40;
      copy.damage(path, bytes);
      const before = copy.paths().map((one) => [one, [...copy.bytes(one)]]);
      await expect(openOn(copy)).rejects.toThrow(
        new RegExp(`${path.slice(11)} is damaged at offset \\d+`),
      );
      const after = copy.paths().map((one) => [one, [...copy.bytes(one)]]);
      expect(after).toEqual(before);
      expect((await report(copy, true)).code).toBe(1);
    }
  });

  test("the mark follows the last answer, with nothing more to be asked of the store", async () => {
    const disk = createMemoryDisk();
    const store = await openOn(disk);
    await store.storage.load();
    for (let index = 1; index <= 12; index++) {
      await store.storage.append(write({ entries: entries(index, index) }));
      const { end, replay } = await readSegments(disk.directory, wal, allAfter(0));
      expect(replay.entries).toHaveLength(index);
      expect(await readMark(disk.directory, wal)).toEqual(end);
    }
  });

  test("a segment missing in the middle, or at the end, is reported", async () => {
    const middle = await filled();
    middle.remove(segmentsOf(middle)[1] ?? "");
    await expect(openOn(middle)).rejects.toThrow("segment with number 1 is missing");
    const end = await filled();
    end.remove(segmentsOf(end).at(-1) ?? "");
    await expect(openOn(end)).rejects.toThrow("more of it was on the disk");
  });

  test("half-made files of a crash are removed", async () => {
    const disk = await filled();
    disk.damage("member/snap/0.tmp", new Uint8Array(9));
    const store = await openOn(disk);
    await store.storage.load();
    expect(disk.paths().filter((path) => path.endsWith(".tmp"))).toEqual([]);
  });
});

test("a commit index alone touches no disk until something else is written, or the store is closed", async () => {
  for (const more of [[], entries(31, 31)]) {
    const disk = await filled();
    const store = await openOn(disk);
    await store.storage.load();
    const before = disk.calls;
    await store.storage.append(write({ hardState: { term: 1, vote: 1, commit: 30 }, sync: false }));
    expect(disk.calls).toBe(before);
    if (more.length > 0) await store.storage.append(write({ entries: more, sync: false }));
    else await store.storage.close();
    expect(disk.calls).toBeGreaterThan(before);
    const again = await openOn(disk.crash("none", seededRandom(1)));
    expect((await again.storage.load()).hardState.commit).toBe(30);
  }
});

describe("snapshots and the log", () => {
  test("the newest that the log names is loaded, with trailing entries before it", async () => {
    const store = await openOn(await filled(), { trailingEntries: 4 });
    const loaded = await store.storage.load();
    expect(loaded.snapshot).toEqual({ index: 19, term: 1, confState });
    expect(loaded.compacted).toEqual({ index: 15, term: 1 });
    expect(loaded.entries).toEqual(entries(16, 30));
  });

  test("a damaged newest one is renamed, and the next older is loaded", async () => {
    const disk = await filled();
    const newest = "member/snap/0000000000000001-0000000000000013.snap";
    const bytes = disk.bytes(newest).slice();
    bytes[9] = (bytes[9] ?? 0) ^ 1;
    disk.damage(newest, bytes);
    const store = await openOn(disk, { trailingEntries: 0 });
    const loaded = await store.storage.load();
    expect(loaded.snapshot?.index).toBe(10);
    expect(loaded.entries).toEqual(entries(11, 30));
    expect(disk.paths()).toContain(`${newest}.broken`);
    expect((await store.snapshots.list()).map(({ index }) => index)).toEqual([10]);
  });

  test("without any, the log that begins at its first entry is loaded from there", async () => {
    const disk = await filled();
    for (const path of snapshotsOf(disk)) disk.remove(path);
    const loaded = await (await openOn(disk)).storage.load();
    expect(loaded.snapshot).toBeUndefined();
    expect(loaded.entries).toEqual(entries(1, 30));
  });

  test("all of them damaged, a log whose beginning was released is refused, again and again, and nothing is given up", async () => {
    const disk = await released();
    for (const path of snapshotsOf(disk)) disk.damage(path, new Uint8Array(50));
    for (const _ of [1, 2]) {
      await expect(openOn(disk)).rejects.toThrow(/begins after entry \d+ and no snapshot/);
    }
    expect(segmentsOf(disk).length).toBeGreaterThan(0);
  });

  test("a file that the log does not name is not loaded, however new", async () => {
    const disk = await filled();
    const store = await openOn(disk);
    await store.storage.load();
    const sink = await store.snapshots.write({ index: 30, term: 1, confState });
    await sink.write(Uint8Array.of(1));
    await sink.finish();
    const again = await openOn(disk.crash("all", seededRandom(1)));
    expect((await again.storage.load()).snapshot?.index).toBe(19);
  });

  test("a file of another term than the log's record is not loaded, however new", async () => {
    const disk = await filled();
    const store = await openOn(disk);
    await store.storage.load();
    const sink = await store.snapshots.write({ index: 19, term: 2, confState });
    await sink.write(Uint8Array.of(1));
    await sink.finish();
    const again = await openOn(disk.crash("all", seededRandom(1)));
    expect((await again.storage.load()).snapshot).toEqual({ index: 19, term: 1, confState });
  });

  test("an orphan does not stand in for the one that the log needs: the log is refused", async () => {
    const disk = await released();
    const [needed = ""] = snapshotsOf(disk).slice(-1);
    const store = await openOn(disk);
    await store.storage.load();
    const sink = await store.snapshots.write({ index: 29, term: 1, confState });
    await sink.write(Uint8Array.of(1));
    await sink.finish();
    await store.storage.close();
    for (const path of snapshotsOf(disk)) if (!path.endsWith("1d.snap")) disk.remove(path);
    expect(snapshotsOf(disk)).toHaveLength(1);
    expect(needed).toMatch(/1e\.snap$/);
    await expect(openOn(disk)).rejects.toThrow(/begins after entry \d+ and no snapshot/);
  });

  test("a record that no HardState covers, as a crash of etcd leaves it, is not started from", async () => {
    const disk = createMemoryDisk();
    const store = await openOn(disk);
    await store.storage.load();
    const hardState = { term: 1, vote: 1, commit: 5 };
    await store.storage.append(write({ hardState, entries: entries(1, 10) }));
    const metadata = { index: 8, term: 1, confState };
    const sink = await store.snapshots.write(metadata);
    await sink.write(Uint8Array.of(1));
    await sink.finish();
    await store.storage.close();
    const { end, crc } = await readSegments(disk.directory, wal, allAfter(0));
    const writer = new WalWriter(crc);
    writer.snapshot(metadata);
    const [path = ""] = segmentsOf(disk);
    disk.bytes(path).set(writer.take(), end.offset);
    const loaded = await (await openOn(disk)).storage.load();
    expect(loaded).toMatchObject({ snapshot: undefined, hardState: { commit: 5 } });
    expect(loaded.entries).toEqual(entries(1, 10));
  });

  test("a body of many chunks streams to a file that is checked to its end", async () => {
    const disk = createMemoryDisk();
    const store = await openOn(disk);
    await store.storage.load();
    const metadata = { index: 5, term: 1, confState };
    const sink = await store.snapshots.write(metadata);
    const chunk = new Uint8Array(100_000).fill(5);
    for (let n = 0; n < 20; n++) await sink.write(chunk);
    await sink.finish();
    let size = 0;
    for await (const piece of store.snapshots.read(metadata)) {
      expect(piece.length).toBeLessThanOrEqual(256 * 1024);
      size += piece.length;
    }
    expect(size).toBe(2_000_000);
    const path = "member/snap/0000000000000001-0000000000000005.snap";
    const bytes = disk.bytes(path);
    bytes[1_000_000] = 6;
    const reading = async () => {
      for await (const _ of store.snapshots.read(metadata));
    };
    await expect(reading()).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });
});

describe("a log with large entries behind its snapshot", () => {
  const MiB = 1024 * 1024;

  /** Forty entries of a MiB, snapshots at 20 and 35, and nothing released. */
  async function large(): Promise<MemoryDisk> {
    const disk = createMemoryDisk();
    const store = await openWalStore(disk.directory, { segmentBytes: 8 * MiB, segmentsKept: 100 });
    await store.storage.load();
    for (let index = 1; index <= 40; index++) {
      const data = new Uint8Array(MiB).fill(index);
      const entry = { term: 1, index, type: "EntryNormal", data, unknown: undefined } as const;
      const hardState = { term: 1, vote: 1, commit: index };
      await store.storage.append(write({ hardState, entries: [entry] }));
      if (index === 20 || index === 35) await snapshot(store, index, 0);
    }
    await store.storage.close();
    return disk;
  }

  const indexesOf = (loaded: Loaded): number[] => loaded.entries.map(({ index }) => index);
  const range = (from: number, to: number): number[] =>
    Array.from({ length: to - from + 1 }, (_, n) => from + n);

  test("loads what its bytes allow, and holds no more of the files in memory than twice that", async () => {
    const disk = await large();
    for (const [options, from] of [
      [{}, 13],
      [{ trailingBytes: 5.5 * MiB }, 31],
      [{ trailingBytes: 0 }, 36],
      [{ trailingBytes: 100 * MiB }, 1],
      [{ trailingEntries: 2 }, 34],
    ] as const) {
      const store = await openWalStore(disk.copy().directory, fileLimits, options);
      const loaded = await store.storage.load();
      expect(loaded.snapshot?.index).toBe(35);
      expect(loaded.compacted).toEqual({ index: from - 1, term: from === 1 ? 0 : 1 });
      expect(indexesOf(loaded)).toEqual(range(from, 40));
      for (const { index, data } of loaded.entries)
        expect([data[0], data[MiB - 1]]).toEqual([index, index]);
      const buffers = new Set(loaded.entries.map(({ data }) => data.buffer));
      let held = 0;
      for (const { byteLength } of buffers) held += byteLength;
      expect(held).toBeLessThan(2 * loaded.entries.length * MiB + MiB);
    }
  });

  test("has all that came after an older snapshot, where the newest is damaged", async () => {
    const disk = await large();
    const newest = "member/snap/0000000000000001-0000000000000023.snap";
    disk.damage(newest, new Uint8Array(disk.bytes(newest).length - 1));
    const store = await openWalStore(disk.directory, fileLimits, { trailingBytes: 2.5 * MiB });
    const loaded = await store.storage.load();
    expect(loaded.snapshot?.index).toBe(20);
    expect(indexesOf(loaded)).toEqual(range(19, 40));
  });

  test("has all of them where no snapshot is left, though a file that nobody names is newer", async () => {
    const disk = await large();
    for (const path of snapshotsOf(disk)) disk.remove(path);
    const first = await openWalStore(disk.directory, fileLimits, { trailingBytes: 0 });
    await first.storage.load();
    const sink = await first.snapshots.write({ index: 39, term: 1, confState });
    await sink.finish();
    await first.storage.close();
    const store = await openWalStore(disk.directory, fileLimits, { trailingBytes: 0 });
    expect(indexesOf(await store.storage.load())).toEqual(range(1, 40));
  });
});

describe("a store is its identity and its log together", () => {
  const losses: [name: string, lose: (path: string) => boolean, replaced: RegExp | undefined][] = [
    ["the identity", (path) => path === "store", /^the identity was gone/],
    ["the log", (path) => path.startsWith(wal), /^the log was gone/],
    ["the segments alone", (path) => path.endsWith(".wal"), /^the log was gone/],
    ["the snapshots", (path) => path.startsWith("member/snap"), /^all snapshots were gone/],
    ["everything but the identity", (path) => path !== "store", /^the log was gone/],
    [
      "everything but the snapshots",
      (path) => !path.startsWith("member/snap"),
      /^the identity was gone/,
    ],
    ["everything", () => true, undefined],
  ];
  test.each(losses)("without %s it is a new store, and empty", async (_name, lose, replaced) => {
    const disk = await released();
    const before = (await openOn(disk.copy())).identity;
    for (const path of disk.paths()) if (lose(path)) disk.remove(path);
    const store = await openOn(disk);
    expect(store.identity.created).toBe(true);
    expect(store.identity.boot).toBe(1);
    expect(store.identity.storeId).not.toEqual(before.storeId);
    expect(store.identity.signSeed).not.toEqual(before.signSeed);
    if (replaced === undefined) expect(store.identity.replaced).toBeUndefined();
    else expect(store.identity.replaced).toMatch(replaced);
    const loaded = await store.storage.load();
    expect(loaded).toMatchObject({ entries: [], snapshot: undefined });
    expect(loaded.hardState).toEqual({ term: 0, vote: 0, commit: 0 });
    expect(await store.snapshots.list()).toEqual([]);
    await store.storage.append(write({ entries: entries(1, 2) }));
    const again = await openOn(disk.crash("all", seededRandom(1)));
    expect(again.identity).toEqual({ ...store.identity, boot: 2, created: false });
    expect((await again.storage.load()).entries).toEqual(entries(1, 2));
  });

  test("without snapshots, where the log begins at its first entry, nothing is lost and it goes on", async () => {
    const disk = await filled();
    const before = (await openOn(disk.copy())).identity;
    for (const path of snapshotsOf(disk)) disk.remove(path);
    const store = await openOn(disk);
    expect(store.identity.storeId).toEqual(before.storeId);
    expect((await store.storage.load()).entries).toEqual(entries(1, 30));
  });

  test("a crash while it is made anew leaves no old identity, and none that seems to be the first", async () => {
    const lost = await released();
    const { storeId } = (await openOn(lost.copy())).identity;
    for (const path of segmentsOf(lost)) lost.remove(path);
    for (let number = 1; number < 100; number++) {
      const disk = lost.copy({
        fault: (n) => (n === number ? { kind: "crash", when: "after" } : undefined),
      });
      const opened = await openOn(disk).catch(() => undefined);
      for (const survives of ["all", "none", "some"] as const) {
        const again = await openOn(disk.crash(survives, seededRandom(number)));
        expect(again.identity.replaced).toMatch(/gone|another/);
        expect(again.identity.storeId).not.toEqual(storeId);
        expect((await again.storage.load()).entries).toEqual([]);
      }
      if (opened === undefined) continue;
      expect(number).toBeGreaterThan(8);
      return;
    }
    throw new Error("it was never made");
  });

  test("one that a crash left half-made is begun again, and replaces nothing", async () => {
    for (let number = 1; number < 100; number++) {
      const disk = createMemoryDisk({
        fault: (n) => (n === number ? { kind: "crash", when: "after" } : undefined),
      });
      const opened = await openOn(disk).catch(() => undefined);
      for (const survives of ["all", "none", "some"] as const) {
        const again = await openOn(disk.crash(survives, seededRandom(number)));
        expect(again.identity.replaced).toBeUndefined();
      }
      if (opened !== undefined) return;
    }
    throw new Error("it was never made");
  });

  test("another store's log is not taken for its own", async () => {
    const [disk, other] = [await filled(), await filled()];
    for (const path of segmentsOf(disk)) disk.remove(path);
    for (const path of segmentsOf(other)) disk.damage(path, other.bytes(path));
    const store = await openOn(disk);
    expect(store.identity).toMatchObject({
      created: true,
      replaced: "the log was another store's",
    });
    expect((await store.storage.load()).entries).toEqual([]);
  });

  test("a damaged identity is an error, not a new store", async () => {
    const disk = await filled();
    const bytes = disk.bytes("store");
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await expect(openOn(disk)).rejects.toThrow("disk/store is damaged");
  });
});

describe("inspect", () => {
  test("prints metadata, HardState, snapshots and entries as etcd-dump-logs does", async () => {
    const { code, text } = await report(await filled(), false);
    expect(code).toBe(0);
    expect(text).toContain("WAL metadata:\nnodeID=0 clusterID=0 term=1 commitIndex=28 vote=1\n");
    expect(text).toContain("term=1 index=19 voters=[1 2] learners=[3] bytes=1");
    expect(text).toContain("WAL entries: 30\nlastIndex=30\nterm\t     index\ttype\tdata\n");
    expect(text).toContain("\n   1\t         1\tnorm\tentry 1\n");
    expect(text.endsWith("\n   1\t        30\tnorm\tentry 30")).toBe(true);
  });

  test("--verify says whole, or names the first damage, and changes nothing", async () => {
    const disk = await filled();
    expect(await report(disk, true)).toMatchObject({ code: 0 });
    const path = segmentsOf(disk)[1] ?? "";
    const bytes = disk.bytes(path);
    bytes[300] = (bytes[300] ?? 0) ^ 1;
    const before = disk.paths();
    const { code, text } = await report(disk, true);
    expect(code).toBe(1);
    expect(text).toMatch(new RegExp(`^disk/${path} is damaged at offset \\d+: `));
    expect(disk.paths()).toEqual(before);
  });

  test("a damaged identity is a failure", async () => {
    const disk = await filled();
    const bytes = disk.bytes("store");
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    const { code, text } = await report(disk, true);
    expect(code).toBe(1);
    expect(text).toContain("disk/store is damaged: its checksum does not match");
  });

  test("a damaged snapshot, and a directory without a log, are failures", async () => {
    const disk = await filled();
    const path = "member/snap/0000000000000001-000000000000000a.snap";
    const bytes = disk.bytes(path);
    bytes[3] = (bytes[3] ?? 0) ^ 1;
    expect((await report(disk, true)).text).toContain(`${path} is damaged`);
    expect((await report(disk, true)).code).toBe(1);
    expect((await report(createMemoryDisk(), false)).code).toBe(1);
  });

  test("whole records that lack what they speak of, or belong to another store, are failures", async () => {
    const ahead = await filled();
    const { end, crc } = await readSegments(ahead.directory, wal, allAfter(0));
    const writer = new WalWriter(crc);
    writer.state({ term: 1, vote: 1, commit: 31 });
    ahead.bytes(segmentsOf(ahead).at(-1) ?? "").set(writer.take(), end.offset);
    const ended = await report(ahead, true);
    expect(ended.code).toBe(1);
    expect(ended.text).toMatch(
      /\.wal ends at offset \d+ with entry \d+, and entry \d+ was committed$/,
    );

    const noSnapshot = await released();
    expect(await report(noSnapshot, true)).toMatchObject({ code: 0 });
    for (const path of snapshotsOf(noSnapshot)) noSnapshot.remove(path);
    const begun = await report(noSnapshot, true);
    expect(begun.code).toBe(1);
    expect(begun.text).toMatch(
      /begins after entry \d+, and no snapshot of what was before can be read$/,
    );

    const [disk, other] = [await filled(), await filled()];
    disk.damage("store", other.bytes("store"));
    const foreign = await report(disk, true);
    expect(foreign.code).toBe(1);
    expect(foreign.text).toContain("member/wal is the log of another store");
  });
});
