import { describe, expect, test } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import type { Entry } from "../../lib/core/types.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import { openWalStore } from "../../lib/storage/wal-store.js";
import { createMemoryDisk, type DiskPlan, type MemoryDisk } from "../../lib/testing/disk.js";

const limits = { segmentBytes: 2_000, segmentsKept: 100 };
const spare = "member/wal/1.tmp";

/** Its record takes some 230 bytes. */
function entry(index: number): Entry {
  const data = new Uint8Array(200).fill(index);
  return { term: 1, index, type: "EntryNormal", data, unknown: undefined };
}

async function append({ storage }: OpenedStore, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index++) {
    const write = { hardState: undefined, snapshot: undefined, entries: [entry(index)] };
    await storage.append({ ...write, sync: true });
  }
}

async function opened(disk: MemoryDisk): Promise<OpenedStore> {
  const store = await openWalStore(disk.directory, limits);
  await store.storage.load();
  return store;
}

/** A disk that keeps an account of the calls to the log's folder. */
function watched(fault: DiskPlan["fault"] = () => undefined): {
  disk: MemoryDisk;
  calls: string[];
} {
  const calls: string[] = [];
  const disk = createMemoryDisk({
    fault(number, call, path) {
      if (path.endsWith(".tmp") || path.endsWith(".wal")) calls.push(`${call} ${path.slice(11)}`);
      return fault(number, call, path);
    },
  });
  return { disk, calls };
}

describe("segments made ahead", () => {
  test("the next one is there, empty and as long as a segment, once the present one is half full", async () => {
    const disk = createMemoryDisk();
    const store = await opened(disk);
    await append(store, 1, 3);
    expect(disk.paths()).not.toContain(spare);
    await append(store, 4, 6);
    expect(disk.bytes(spare)).toEqual(new Uint8Array(2_000));
    await store.storage.close();
    expect(disk.paths()).not.toContain(spare);
  });

  test("a cut takes it: what it does itself is to write the header and to give it its name", async () => {
    const { disk, calls } = watched();
    const store = await opened(disk);
    await append(store, 1, 6);
    const before = calls.length;
    expect(calls.slice(-9)).toContain("open 1.tmp");
    await append(store, 7, 10);
    const first = "0000000000000000-0000000000000000.wal";
    const next = "0000000000000001-000000000000000a.wal";
    expect(calls.slice(before)).toEqual([
      `write ${first}`,
      `sync ${first}`,
      `write ${first}`,
      `sync ${first}`,
      `write ${first}`,
      `sync ${first}`,
      "write 1.tmp",
      "sync 1.tmp",
      "rename 1.tmp",
      `write ${next}`,
      // Zeros, ahead of what comes.
      `write ${next}`,
      `sync ${next}`,
    ]);
    await store.storage.close();
    const again = await openWalStore(disk.directory, limits);
    expect((await again.storage.load()).entries).toEqual(
      Array.from({ length: 10 }, (_, n) => entry(n + 1)),
    );
  });

  test("what a crash leaves of one is deleted at the next opening, whatever is in it", async () => {
    const disk = createMemoryDisk();
    await append(await opened(disk), 1, 6);
    const crashed = disk.crash("all", seededRandom(1));
    expect(crashed.paths()).toContain(spare);
    // A header that was written before the rename, of a longer name than the next one's.
    crashed.damage(spare, new Uint8Array(3_000).fill(8));
    const store = await opened(crashed);
    expect(crashed.paths()).not.toContain(spare);
    await append(store, 7, 20);
    await store.storage.close();
    const again = await openWalStore(crashed.directory, limits);
    expect((await again.storage.load()).entries).toHaveLength(20);
  });

  test("one that has its own name and was begun with little is opened again, whatever the mark says of it", async () => {
    const disk = createMemoryDisk();
    const directory = { ...disk.directory, slowRename: true };
    const open = async (): Promise<OpenedStore> => {
      const store = await openWalStore(directory, limits);
      await store.storage.load();
      return store;
    };
    const first = await open();
    // The ninth record fills the first segment, the tenth begins the second and leaves most of its first sector empty.
    await append(first, 1, 10);
    await first.storage.close();
    const paths = disk.paths().filter((path) => path.endsWith(".wal"));
    expect(paths.map((path) => path.slice(11))).toEqual([
      "0000000000000000-0000000000000000.wal",
      "0000000000000001.wal",
    ]);
    const second = await open();
    expect(second.acknowledged().states[0]?.lastIndex).toBe(10);
    await second.storage.close();
    disk.remove("member/wal/synced");
    const third = await open();
    expect(third.acknowledged().states[0]?.lastIndex).toBe(10);
    await third.storage.close();
  });

  test("one that cannot be made fails the cut that needs it, and nothing that was answered before", async () => {
    const { disk } = watched((_, call, path) =>
      call === "truncate" && path === spare ? { kind: "error", code: "ENOSPC" } : undefined,
    );
    const store = await opened(disk);
    const lost = new Promise<Error>((resolve) => store.onLost(resolve));
    await append(store, 1, 9);
    expect((await lost).message).toContain("ENOSPC");
    await expect(append(store, 10, 10)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    const again = await opened(disk.crash("none", seededRandom(1)));
    expect(again.acknowledged().states[0]?.lastIndex).toBe(9);
  });
});
