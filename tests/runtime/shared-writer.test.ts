/** Several nodes of a process at one disk. */
import { describe, expect, it } from "vitest";
import { createSharedWriter } from "../../lib/runtime/shared-writer.js";
import { openMemoryStore } from "../../lib/storage/memory.js";
import type { OpenedStore, StorageWrite } from "../../lib/storage/storage.js";
import { bytes, openCluster, settle } from "./cluster.js";

const write: StorageWrite = {
  hardState: { term: 1, vote: 0, commit: 0 },
  snapshot: undefined,
  entries: [],
  sync: true,
};

/** A disk that answers when it is told to. */
async function slowStore(begun: string[], name: string) {
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const store = await openMemoryStore();
  const slow: OpenedStore = {
    ...store,
    storage: {
      ...store.storage,
      append: () => {
        begun.push(name);
        return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
      },
    },
  };
  return { slow, waiting };
}

describe("a shared writer", () => {
  it.each([
    [1, ["a"]],
    [2, ["a", "b"]],
  ])("has %i writes under way at once, in order", async (atOnce, first) => {
    const begun: string[] = [];
    const writer = createSharedWriter(atOnce);
    const stores = [
      await slowStore(begun, "a"),
      await slowStore(begun, "b"),
      await slowStore(begun, "c"),
    ];
    const ends = stores.map(({ slow }) => writer.share(slow).storage.append(write));
    await settle();
    expect(begun).toEqual(first);
    for (const { waiting } of stores) {
      waiting[0]?.resolve();
      await settle();
    }
    await Promise.all(ends);
    expect([begun, writer.waiting]).toEqual([["a", "b", "c"], 0]);
  });

  it("goes on after a write that failed", async () => {
    const begun: string[] = [];
    const writer = createSharedWriter();
    const [a, b] = [await slowStore(begun, "a"), await slowStore(begun, "b")];
    const failing = writer.share(a.slow).storage.append(write);
    const next = writer.share(b.slow).storage.append(write);
    a.waiting[0]?.reject(new Error("no space left"));
    await expect(failing).rejects.toThrow("no space left");
    await settle();
    b.waiting[0]?.resolve();
    await next;
    expect(begun).toEqual(["a", "b"]);
  });

  it("serves a cluster whose nodes are all in one process", async () => {
    const writer = createSharedWriter();
    const cluster = await openCluster([1, 2, 3], { change: { wrap: writer.share } });
    const { node } = await cluster.leader();
    const { result } = await cluster.settled(node.propose(bytes("a")));
    expect(result).toBe(1);
    await cluster.closeAll();
  });

  it.each([0, -1, 1.5])("of %d writes at once is refused", (atOnce) => {
    expect(() => createSharedWriter(atOnce)).toThrow(
      expect.objectContaining({ code: "BAD_CONFIG" }),
    );
  });
});
