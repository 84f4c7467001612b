import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { emptyConfState } from "../../lib/core/types.js";
import type { Directory } from "../../lib/storage/directory.js";
import { openFileStore, openNodeDirectory } from "../../lib/storage/file.js";
import type { OpenedStore, StorageWrite } from "../../lib/storage/storage.js";
import { fileLimits, openWalStore } from "../../lib/storage/wal-store.js";
import { type StorageTarget, storageConformance } from "../../lib/testing/conformance/storage.js";

const root = mkdtempSync(join(tmpdir(), "logboom-file-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let counter = 0;

/** A directory whose owner can die: what is under way ends, and nothing of that life touches the disk afterwards. */
function mortal(directory: Directory): { directory: Directory; die(): Promise<void> } {
  const underWay = new Set<Promise<unknown>>();
  let dead = false;
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(_, key) {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== "function" || key === "owned") return member;
        return (...args: unknown[]): unknown => {
          // Forever: a dead process hears of no failure either.
          if (dead) return key === "note" ? undefined : new Promise(() => {});
          const answer: unknown = member.apply(target, args);
          if (!(answer instanceof Promise)) return answer;
          const work = answer.then((value) =>
            key === "open" ? wrap(value as object) : (value as unknown),
          );
          underWay.add(work);
          void work.catch(() => {}).finally(() => underWay.delete(work));
          return work;
        };
      },
    });
  return {
    directory: wrap(directory),
    async die() {
      dead = true;
      await Promise.allSettled(underWay);
      await directory.release();
    },
  };
}

function target(limits = fileLimits): StorageTarget {
  const path = join(root, String(counter++));
  let life: ReturnType<typeof mortal> | undefined;
  return {
    async open(options) {
      life = mortal(await openNodeDirectory(path));
      return await openWalStore(life.directory, limits, options);
    },
    async abandon() {
      await life?.die();
    },
  };
}

describe("file store", () => {
  test.each(storageConformance)("$name", ({ run }) => run(target()));
});

describe("file store with segments of 1 KB, none kept", () => {
  const limits = { segmentBytes: 1_000, segmentsKept: 0 };
  test.each(storageConformance)("$name", ({ run }) => run(target(limits)));
});

describe("a directory of which a part was removed", () => {
  const parts: [name: string, paths: string[], replaced: RegExp][] = [
    ["the identity", ["store"], /^the identity was gone/],
    ["the log", ["member/wal"], /^the log was gone/],
    ["the snapshots", ["member/snap"], /^all snapshots were gone, and the log before entry \d+/],
    ["log and snapshots", ["member"], /^the log was gone/],
    ["identity and log", ["store", "member/wal"], /^the identity was gone/],
  ];
  test.each(parts)(
    "%s: a new identity with an empty log, what is left is set aside",
    async (_name, paths, replaced) => {
      const directory = join(root, String(counter++));
      const open = () => openFileStore({ directory, segmentBytes: 1_000, segmentsKept: 0 });
      const first = await open();
      await liveABit(first);
      for (const path of paths) rmSync(join(directory, path), { recursive: true });
      const left = existsSync(join(directory, "member"));
      const anew = await open();
      expect(anew.identity).toMatchObject({ created: true, boot: 1 });
      expect(anew.identity.storeId).not.toEqual(first.identity.storeId);
      expect(anew.identity.signSeed).not.toEqual(first.identity.signSeed);
      expect(anew.identity.replaced).toMatch(replaced);
      const loaded = await anew.storage.load();
      expect(loaded.entries).toEqual([]);
      expect(loaded.hardState).toEqual({ term: 0, vote: 0, commit: 0 });
      expect(existsSync(join(directory, "member.broken"))).toBe(left);
      await liveABit(anew);
      const again = await open();
      expect(again.identity).toEqual({ ...anew.identity, boot: 2, created: false });
      await again.storage.close();
    },
  );
});

test("what a crash left in a temporary segment does not reach into the next one", async () => {
  const directory = join(root, String(counter++));
  const open = () => openFileStore({ directory, segmentBytes: 2_000_000, trailingEntries: 1_000 });
  const first = await open();
  await first.storage.load();
  await first.storage.append(appended(1));
  await first.storage.close();
  const wal = join(directory, "member/wal");
  for (const name of ["0.tmp", "1.tmp"])
    writeFileSync(join(wal, name), Buffer.alloc(2_500_000, 0x41));
  const segments = (): string[] => readdirSync(wal).filter((name) => name.endsWith(".wal"));
  const second = await open();
  await second.storage.load();
  // Up to the first entries of the third segment, by when both names have been segments; most of it is not written yet.
  let last = 1;
  while (segments().length < 3) await second.storage.append(appended(++last, 300_000));
  await second.storage.close();
  for (const name of segments()) {
    expect(readFileSync(join(wal, name)).includes(Buffer.alloc(64, 0x41))).toBe(false);
  }
  const again = await open();
  expect((await again.storage.load()).entries).toHaveLength(last);
  await again.storage.close();
  expect(readdirSync(wal).filter((name) => name.endsWith(".broken"))).toEqual([]);
});

function appended(index: number, bytes = 100): StorageWrite {
  const data = new Uint8Array(bytes).fill(index);
  const entry = { term: 1, index, type: "EntryNormal", data, unknown: undefined } as const;
  const hardState = { term: 1, vote: 1, commit: index };
  return { hardState, snapshot: undefined, entries: [entry], sync: true };
}

/** Some segments, a snapshot, and nothing of the log before it. Closed. */
async function liveABit({ storage, snapshots }: OpenedStore): Promise<void> {
  await storage.load().catch(() => {});
  for (let index = 1; index <= 30; index++) await storage.append(appended(index));
  const metadata = { index: 30, term: 1, confState: emptyConfState };
  const sink = await snapshots.write(metadata);
  await sink.write(new Uint8Array(9));
  await sink.finish();
  await storage.compact(metadata, 30);
  await storage.close();
}

describe("the file system beneath a file store", () => {
  test("a write takes zeros along, so that those after it find their blocks allocated", async () => {
    const directory = join(root, String(counter++));
    const segment = join(directory, "member/wal/0000000000000000-0000000000000000.wal");
    const allocated = (): number => statSync(segment).blocks * 512;
    const { storage } = await openFileStore({ directory });
    await storage.load();
    let index = 0;
    const append = async (): Promise<void> => {
      const data = new Uint8Array(1_000).fill(7);
      const entry = { term: 1, index: ++index, type: "EntryNormal" as const, data };
      const entries = [{ ...entry, unknown: undefined }];
      await storage.append({ hardState: undefined, snapshot: undefined, entries, sync: true });
    };
    expect(statSync(segment).size).toBe(fileLimits.segmentBytes);
    await append();
    const ahead = allocated();
    expect(ahead).toBeGreaterThanOrEqual(512 * 1024);
    for (let n = 0; n < 400; n++) await append();
    expect(allocated()).toBe(ahead);
    for (let n = 0; n < 200; n++) await append();
    expect(allocated()).toBeGreaterThan(ahead);
    expect(statSync(segment).size).toBe(fileLimits.segmentBytes);
    await storage.close();
    const again = await openFileStore({ directory });
    expect((await again.storage.load()).entries).toHaveLength(601);
    await again.storage.close();
  });

  test("a file that was closed is not used any more: its number may be another file's", async () => {
    const directory = await openNodeDirectory(join(root, String(counter++)));
    const [closed, released] = [
      await directory.open("closed", "create"),
      await directory.open("released", "create"),
    ];
    await closed.close();
    await directory.release();
    for (const file of [closed, released]) {
      await expect(file.write(0, new Uint8Array(1))).rejects.toThrow("closed");
      await expect(file.sync()).rejects.toThrow("closed");
      expect(() => file.note(0, new Uint8Array(1))).toThrow("closed");
      await file.close();
    }
  });
});

describe("what cannot be a store is refused by what is wrong with it", () => {
  const path = join(root, "refused");
  const inside = join(root, "a file", "store");

  test.each([
    ["no path", { directory: "" }, "BAD_CONFIG", 'directory must be a path, got ""'],
    ["a file", { directory: join(root, "a file") }, "STORAGE_FAILED", "cannot hold a store"],
    ["below a file", { directory: inside }, "STORAGE_FAILED", `${inside} cannot hold a store`],
    ["segments of nothing", { directory: path, segmentBytes: 0 }, "BAD_CONFIG", "segmentBytes"],
    ["no number", { directory: path, segmentBytes: Number.NaN }, "BAD_CONFIG", "got NaN"],
    ["segments that fit nowhere", { directory: path, segmentBytes: 1e10 }, "BAD_CONFIG", "1e10"],
    ["half a segment", { directory: path, segmentsKept: 1.5 }, "BAD_CONFIG", "got 1.5"],
    ["fewer entries than none", { directory: path, trailingEntries: -1 }, "BAD_CONFIG", "got -1"],
    ["fewer bytes than none", { directory: path, trailingBytes: -1 }, "BAD_CONFIG", "got -1"],
  ])("%s", async (_name, options, code, told) => {
    writeFileSync(join(root, "a file"), "");
    const refused = await openFileStore(options).then(
      () => undefined,
      (error: { code: string; message: string }) => error,
    );
    expect(refused?.code).toBe(code);
    expect(refused?.message.replace("10000000000", "1e10")).toContain(told);
    // And nobody holds it.
    if (options.directory !== path) return;
    await (await openFileStore({ directory: path })).storage.close();
  });
});
