import { describe, expect, test } from "vitest";
import { emptyConfState } from "../../lib/core/types.js";
import { openOpfsStore } from "../../lib/storage/opfs.js";
import type { StorageWrite } from "../../lib/storage/storage.js";
import { storageConformance } from "../../lib/testing/conformance/storage.js";

let counter = 0;

describe("OPFS store", () => {
  test.each(storageConformance)("$name", async ({ run }) => {
    const name = `conformance/${counter++}`;
    let started: Worker | undefined;
    const worker = (): Worker => {
      started = new Worker(new URL("../../lib/storage/opfs-worker.ts", import.meta.url), {
        type: "module",
      });
      return started;
    };
    await run({
      open: ({ randomBytes: _, ...options } = {}) => openOpfsStore({ ...options, name, worker }),
      // A page that is killed takes its worker with it.
      abandon: async () => started?.terminate(),
    });
  });
});

/** The folder of a store in the private file system, past the store. */
async function folderOf(name: string, ...path: string[]): Promise<FileSystemDirectoryHandle> {
  let at = await navigator.storage.getDirectory();
  for (const part of ["logboom", encodeURIComponent(name), ...path]) {
    at = await at.getDirectoryHandle(part);
  }
  return at;
}

function appended(index: number, bytes = 100): StorageWrite {
  const data = new Uint8Array(bytes).fill(index);
  const entry = { term: 1, index, type: "EntryNormal", data, unknown: undefined } as const;
  const hardState = { term: 1, vote: 1, commit: index };
  return { hardState, snapshot: undefined, entries: [entry], sync: true };
}

const worker = (): Worker =>
  new Worker(new URL("../../lib/storage/opfs-worker.ts", import.meta.url), { type: "module" });

test("what a crash left in a temporary segment does not reach into the next one", async () => {
  const name = `temporary/${counter++}`;
  const open = () =>
    openOpfsStore({ name, worker, segmentBytes: 2_000_000, trailingEntries: 1_000 });
  const first = await open();
  await first.storage.load();
  await first.storage.append(appended(1));
  await first.storage.close();
  const wal = await folderOf(name, "member", "wal");
  for (const left of ["0.tmp", "1.tmp"]) {
    const writable = await (await wal.getFileHandle(left, { create: true })).createWritable();
    await writable.write(new Uint8Array(2_500_000).fill(0x41));
    await writable.close();
  }
  const second = await open();
  await second.storage.load();
  // Up to the first entries of the third segment, by when both names have been segments; most of it is not written yet.
  let last = 1;
  let segments: File[] = [];
  while (segments.length < 3) {
    await second.storage.append(appended(++last, 300_000));
    segments = await filesIn(wal, ".wal");
  }
  await second.storage.close();
  for (const segment of await filesIn(wal, ".wal")) {
    expect(await segment.text()).not.toContain("A".repeat(64));
  }
  const again = await open();
  expect((await again.storage.load()).entries).toHaveLength(last);
  await again.storage.close();
  expect(await filesIn(wal, ".broken")).toEqual([]);
});

test("a worker of another version is refused by name, and nothing waits for it", async () => {
  const former = (): Worker =>
    new Worker(new URL("./former.worker.ts", import.meta.url), { type: "module" });
  await expect(openOpfsStore({ name: "former", worker: former })).rejects.toMatchObject({
    code: "NOT_SUPPORTED",
    message: expect.stringMatching(/worker of former speaks version 1 .* this page 2/) as string,
  });
});

test("zeros that cannot be written behind an answered write end the store, and the write stays", async () => {
  const name = `zeros/${counter++}`;
  const broken = (): Worker =>
    new Worker(new URL("./zeros-fail.worker.ts", import.meta.url), { type: "module" });
  const first = await openOpfsStore({ name, worker: broken });
  const lost = new Promise<Error>((resolve) => first.onLost(resolve));
  await first.storage.load();
  await first.storage.append(appended(1));
  expect(await lost).toMatchObject({
    code: "STORAGE_FAILED",
    message: expect.stringContaining("InvalidStateError: no zeros") as string,
  });
  await expect(first.storage.append(appended(2))).rejects.toMatchObject({
    code: "STORAGE_FAILED",
    outcome: "none",
  });
  await first.storage.close();
  const second = await openOpfsStore({ name, worker });
  expect((await second.storage.load()).entries.map(({ index }) => index)).toEqual([1]);
  await second.storage.append(appended(2));
  await second.storage.close();
});

async function filesIn(folder: FileSystemDirectoryHandle, ending: string): Promise<File[]> {
  const files: File[] = [];
  const handles = (folder as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
  for await (const handle of handles) {
    if (!handle.name.endsWith(ending)) continue;
    files.push(await (handle as FileSystemFileHandle).getFile());
  }
  return files;
}

describe("an OPFS store of which a part was wiped", () => {
  const parts: [name: string, folder: string[], part: string, replaced: RegExp][] = [
    ["the identity", [], "store", /^the identity was gone/],
    ["the log", ["member"], "wal", /^the log was gone/],
    ["the snapshots", ["member"], "snap", /^all snapshots were gone, and the log before entry \d+/],
    ["log and snapshots", [], "member", /^the log was gone/],
  ];
  test.each(parts)(
    "%s: a new identity with an empty log",
    async (_name, folder, part, replaced) => {
      const name = `wiped/${counter++}`;
      const open = () => openOpfsStore({ name, worker, segmentBytes: 1_000, segmentsKept: 0 });
      const first = await open();
      await first.storage.load();
      for (let index = 1; index <= 30; index++) await first.storage.append(appended(index));
      const metadata = { index: 30, term: 1, confState: emptyConfState };
      const sink = await first.snapshots.write(metadata);
      await sink.write(new Uint8Array(9));
      await sink.finish();
      await first.storage.compact(metadata, 30);
      await first.storage.close();

      await (await folderOf(name, ...folder)).removeEntry(part, { recursive: true });
      const anew = await open();
      expect(anew.identity).toMatchObject({ created: true, boot: 1 });
      expect(anew.identity.storeId).not.toEqual(first.identity.storeId);
      expect(anew.identity.signSeed).not.toEqual(first.identity.signSeed);
      expect(anew.identity.replaced).toMatch(replaced);
      const loaded = await anew.storage.load();
      expect(loaded.entries).toEqual([]);
      expect(loaded.hardState).toEqual({ term: 0, vote: 0, commit: 0 });
      await anew.storage.close();
      const again = await open();
      expect(again.identity).toEqual({ ...anew.identity, boot: 2, created: false });
      await again.storage.close();
    },
  );
});
