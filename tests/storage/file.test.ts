import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, test } from "vitest";
import type { Directory } from "../../lib/storage/directory.js";
import { openNodeDirectory } from "../../lib/storage/file.js";
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
