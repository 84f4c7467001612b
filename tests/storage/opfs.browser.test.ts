import { describe, expect, test } from "vitest";
import { emptyConfState } from "../../lib/core/types.js";
import { openOpfsStore } from "../../lib/storage/opfs.js";
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

describe("an OPFS store of which a part was wiped", () => {
  const parts: [name: string, folder: string[], part: string, replaced: RegExp][] = [
    ["the identity", [], "store", /^the identity was gone/],
    ["the log", ["member"], "wal", /^the log was gone/],
    ["the snapshots", ["member"], "snap", /^all snapshots were gone, and the log before entry \d+/],
    ["log and snapshots", [], "member", /^the log was gone/],
  ];
  const worker = (): Worker =>
    new Worker(new URL("../../lib/storage/opfs-worker.ts", import.meta.url), { type: "module" });

  test.each(parts)(
    "%s: a new identity with an empty log",
    async (_name, folder, part, replaced) => {
      const name = `wiped/${counter++}`;
      const open = () => openOpfsStore({ name, worker, segmentBytes: 1_000, segmentsKept: 0 });
      const first = await open();
      await first.storage.load();
      for (let index = 1; index <= 30; index++) {
        const data = new Uint8Array(100).fill(index);
        const entry = { term: 1, index, type: "EntryNormal", data, unknown: undefined } as const;
        const hardState = { term: 1, vote: 1, commit: index };
        await first.storage.append({
          hardState,
          snapshot: undefined,
          entries: [entry],
          sync: true,
        });
      }
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
