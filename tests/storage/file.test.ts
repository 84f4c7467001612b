import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Directory } from "../../lib/storage/directory.js";
import { openFileStore, openNodeDirectory } from "../../lib/storage/file.js";
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
