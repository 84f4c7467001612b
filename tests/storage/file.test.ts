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

function target(limits = fileLimits): StorageTarget {
  const path = join(root, String(counter++));
  let directory: Directory | undefined;
  return {
    async open(options) {
      directory = await openNodeDirectory(path);
      return await openWalStore(directory, limits, options);
    },
    async abandon() {
      await directory?.release();
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
