import { describe, expect, test } from "vitest";
import type { Entry } from "../../lib/core/types.js";
import {
  deleteIndexedDbStore,
  listIndexedDbStores,
  openIndexedDbStore,
} from "../../lib/storage/indexeddb.js";
import type { OpenedStore, StorageWrite } from "../../lib/storage/storage.js";

let counter = 0;
const freshName = (): string => `failures/${counter++}`;

function entries(from: number, to: number): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, n) => ({
    term: 1,
    index: from + n,
    type: "EntryNormal",
    data: new Uint8Array(100).fill(n),
    unknown: undefined,
  }));
}

function write(parts: Partial<StorageWrite>): StorageWrite {
  return { hardState: undefined, snapshot: undefined, entries: [], sync: true, ...parts };
}

const confState = {
  voters: [1],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};
const metadata = { index: 4, term: 1, confState };

/** A store with ten entries, a snapshot of four and three entries compacted. */
async function filled(name: string): Promise<OpenedStore> {
  const opened = await openIndexedDbStore({ name });
  await opened.storage.load();
  await opened.storage.append(write({ entries: entries(1, 5) }));
  await opened.storage.append(
    write({ hardState: { term: 1, vote: 1, commit: 4 }, entries: entries(6, 10) }),
  );
  const sink = await opened.snapshots.write(metadata);
  await sink.write(new Uint8Array(100_000).fill(7));
  await sink.finish();
  await opened.storage.compact(metadata, 3);
  return opened;
}

/** The database itself, past the store. */
async function raw(name: string): Promise<IDBDatabase> {
  return await new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function tamper(name: string, store: string, change: (s: IDBObjectStore) => void) {
  const database = await raw(name);
  const transaction = database.transaction([store], "readwrite");
  change(transaction.objectStore(store));
  await new Promise((resolve) => {
    transaction.oncomplete = resolve;
  });
  database.close();
}

const clear = (store: IDBObjectStore): void => void store.clear();

async function codeOf(run: Promise<unknown>): Promise<string> {
  return await run.then(
    () => "resolved",
    (error: { code?: string }) => error.code ?? String(error),
  );
}

describe("an IndexedDB store that fails", () => {
  test("deleted under its owner: what is under way and all that follows is refused, and the owner is told once", async () => {
    const name = freshName();
    const opened = await filled(name);
    const lost: Error[] = [];
    opened.onLost((error) => lost.push(error));
    const deletion = deleteIndexedDbStore(name);
    await deletion;
    expect(await codeOf(opened.storage.append(write({ entries: entries(11, 11) })))).toBe(
      "STORAGE_FAILED",
    );
    expect(await codeOf(opened.meta.set("a", new Uint8Array(1)))).toBe("STORAGE_FAILED");
    expect(lost).toHaveLength(1);
    opened.onLost((error) => lost.push(error));
    expect(lost).toHaveLength(2);
    await opened.storage.close();
    const again = await openIndexedDbStore({ name });
    expect(again.identity.created).toBe(true);
    expect(again.identity.storeId).not.toEqual(opened.identity.storeId);
    expect(await codeOf(openIndexedDbStore({ name, notBelow: opened.acknowledged() }))).toBe(
      "STORE_WENT_BACK",
    );
    await again.storage.close();
  });

  test("a later version of the database is refused, and takes the store from its owner", async () => {
    const name = freshName();
    const opened = await filled(name);
    const lost = new Promise<Error>((resolve) => opened.onLost(resolve));
    const later = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(name, 7);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    expect((await lost).message).toContain("deletes or upgrades");
    expect(await codeOf(opened.storage.append(write({ entries: entries(11, 11) })))).toBe(
      "STORAGE_FAILED",
    );
    later.close();
    await expect(openIndexedDbStore({ name })).rejects.toThrow("later version");
  });

  const damages: [
    name: string,
    store: string,
    change: (s: IDBObjectStore) => void,
    told: RegExp,
  ][] = [
    // 1 is the opening's own record, 2 and 3 have the entries, 4 the compaction.
    ["a record gone", "log", (s) => s.delete(3), /record 3 is missing/],
    ["the first record needed gone", "log", (s) => s.delete(2), /record 2 is missing/],
    ["a record under another number", "log", (s) => s.put(new Uint8Array(9), 20), /record 20/],
    ["a record that is no bytes", "log", (s) => s.put("text", 3), /record 3.*no bytes/],
    ["a record changed", "log", (s) => s.put(new Uint8Array(99), 3), /record 3.*version/],
    [
      "all records of the last boots gone",
      "state",
      (s) => s.put(7, "boot"),
      /ends in boot 1, the boot counter says 7/,
    ],
    ["the last record of the wrong shape", "log", (s) => s.put({ term: -1 }, 4), /record 4/],
    [
      "a short seed",
      "state",
      (s) => s.put({ storeId: new Uint8Array(16), signSeed: new Uint8Array(3) }, "identity"),
      /signSeed/,
    ],
    [
      "the boot counter of the wrong shape",
      "state",
      (s) => s.put("1", "boot"),
      /boot counter.*safe integer/,
    ],
    ["a chunk gone", "chunks", (s) => s.delete([1, 0, 1]), /snapshots.*chunk 1/],
    [
      "a chunk changed",
      "chunks",
      (s) => s.put({ crc: 1, bytes: new Uint8Array(5) }, [1, 0, 0]),
      /checksum/,
    ],
    [
      "a snapshot record of the wrong shape",
      "snapshots",
      (s) => s.put({ chunks: 1 }, [1, 0]),
      /snapshot record/,
    ],
  ];
  test.each(damages)(
    "%s: the store is refused by an error that names it",
    async (_name, store, change, told) => {
      const name = freshName();
      await (await filled(name)).storage.close();
      await tamper(name, store, change);
      const loading = openIndexedDbStore({ name }).then(({ storage }) => storage.load());
      const error = await loading.then(
        () => undefined,
        (one: Error & { code: string }) => one,
      );
      expect(error?.code).toBe("STORAGE_FAILED");
      expect(error?.message).toMatch(told);
    },
  );

  const wipes: [name: string, store: string, wipe: (s: IDBObjectStore) => void, told: RegExp][] = [
    ["the state", "state", clear, /^the identity was gone/],
    ["the identity", "state", (s) => s.delete("identity"), /^the identity was gone/],
    ["the boot counter", "state", (s) => s.delete("boot"), /^the boot counter was gone/],
    ["the log", "log", clear, /^the log was gone/],
    ["the snapshots", "snapshots", clear, /^all snapshots were gone, and the log before entry 4/],
    ["the snapshots' bodies", "chunks", clear, /^the bodies of all snapshots were gone/],
    ["the small values", "meta", clear, /^the small values were gone/],
  ];
  test.each(wipes)(
    "%s wiped: a new identity with an empty log, and it stays known why",
    async (_name, part, wipe, told) => {
      const name = freshName();
      const opened = await filled(name);
      await opened.meta.set("secret", new Uint8Array(3));
      await opened.storage.close();
      await tamper(name, part, wipe);
      const anew = await openIndexedDbStore({ name });
      const { created, boot, storeId, signSeed, replaced } = anew.identity;
      expect({ created, boot }).toEqual({ created: true, boot: 1 });
      expect(storeId).not.toEqual(opened.identity.storeId);
      expect(signSeed).not.toEqual(opened.identity.signSeed);
      expect(replaced).toMatch(told);
      expect(await anew.storage.load()).toEqual({
        hardState: { term: 0, vote: 0, commit: 0 },
        snapshot: undefined,
        entries: [],
        compacted: { index: 0, term: 0 },
      });
      expect(await anew.snapshots.list()).toEqual([]);
      expect(await anew.meta.get("secret")).toBeUndefined();
      await anew.storage.append(write({ entries: entries(1, 2) }));
      await anew.storage.close();
      const again = await openIndexedDbStore({ name });
      expect(again.identity).toEqual({ ...anew.identity, boot: 2, created: false });
      expect((await again.storage.load()).entries).toHaveLength(2);
      expect(await codeOf(openIndexedDbStore({ name, notBelow: opened.acknowledged() }))).toBe(
        "STORE_WENT_BACK",
      );
      await again.storage.close();
    },
  );

  test("a crash while a store is made anew leaves the old one, and it stays known why", async () => {
    const name = freshName();
    const opened = await filled(name);
    await opened.storage.close();
    await tamper(name, "log", clear);
    const { put } = IDBObjectStore.prototype;
    // All of it is done, and does not complete.
    IDBObjectStore.prototype.put = function (this: IDBObjectStore, ...args: [unknown]) {
      const request = put.apply(this, args);
      if (this.name === "meta") this.transaction.abort();
      return request;
    };
    try {
      for (const _ of [1, 2]) {
        expect(await codeOf(openIndexedDbStore({ name }))).toBe("STORAGE_FAILED");
      }
    } finally {
      IDBObjectStore.prototype.put = put;
    }
    const anew = await openIndexedDbStore({ name });
    expect(anew.identity).toMatchObject({ created: true, boot: 1 });
    expect(anew.identity.storeId).not.toEqual(opened.identity.storeId);
    await anew.storage.close();
    const again = await openIndexedDbStore({ name });
    expect(again.identity.replaced).toMatch(/^the log was gone/);
    expect(again.identity).toMatchObject({ created: false, boot: 2 });
    await again.storage.close();
    // And once more: it loses a part again.
    await tamper(name, "meta", clear);
    const third = await openIndexedDbStore({ name });
    expect(third.identity).toMatchObject({ created: true, boot: 1 });
    expect(third.identity.replaced).toMatch(/^the small values were gone/);
    await third.storage.close();
    const fourth = await openIndexedDbStore({ name });
    expect(fourth.identity).toMatchObject({ created: false, boot: 2 });
    await fourth.storage.close();
  });

  test("nothing wiped that is needed: a log from its first entry goes on without its snapshots", async () => {
    const name = freshName();
    const opened = await openIndexedDbStore({ name });
    await opened.storage.load();
    await opened.storage.append(
      write({ hardState: { term: 1, vote: 1, commit: 4 }, entries: entries(1, 10) }),
    );
    const sink = await opened.snapshots.write(metadata);
    await sink.write(new Uint8Array(10));
    await sink.finish();
    await opened.storage.compact(metadata, 0);
    await opened.storage.close();
    await tamper(name, "snapshots", clear);
    const again = await openIndexedDbStore({ name });
    expect(again.identity.storeId).toEqual(opened.identity.storeId);
    expect((await again.storage.load()).entries).toHaveLength(10);
    await again.storage.close();
  });

  test("a database without our object stores gives way to a new one", async () => {
    const name = freshName();
    const bare = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name, 2);
      request.onsuccess = () => resolve(request.result);
    });
    bare.close();
    const opened = await openIndexedDbStore({ name });
    expect(opened.identity).toMatchObject({
      created: true,
      replaced: "the object stores state, log, snapshots, chunks, meta were gone",
    });
    await opened.storage.load();
    await opened.storage.append(write({ entries: entries(1, 1) }));
    await opened.storage.close();
  });

  test.each(["state", "log", "meta"])(
    "an owner whose store was made anew, for want of its %s, cannot write any more",
    async (part) => {
      const name = freshName();
      const sleeper = await filled(name);
      await tamper(name, part, clear);
      const lost = new Promise<Error>((resolve) => sleeper.onLost(resolve));
      const heir = await openIndexedDbStore({ name });
      // Both are of boot 1.
      expect(heir.identity.boot).toBe(sleeper.identity.boot);
      await heir.storage.load();
      await heir.storage.append(write({ entries: entries(1, 2) }));
      expect((await lost).message).toContain("deletes or upgrades");
      expect(await codeOf(sleeper.storage.append(write({ entries: entries(11, 12) })))).toBe(
        "STORAGE_FAILED",
      );
      expect(await codeOf(sleeper.meta.set("key", new Uint8Array(1)))).toBe("STORAGE_FAILED");
      expect(await heir.meta.get("key")).toBeUndefined();
      await heir.storage.append(write({ entries: entries(3, 3) }));
      const again = await openIndexedDbStore({ name, notBelow: heir.acknowledged() });
      const expected = [...entries(1, 2), ...entries(3, 3)];
      expect((await again.storage.load()).entries).toEqual(expected);
      await again.storage.close();
    },
  );

  test("a store of an earlier layout is refused and left as it is", async () => {
    const name = freshName();
    const earlier = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore("entries");
      request.onsuccess = () => resolve(request.result);
    });
    earlier.close();
    await expect(openIndexedDbStore({ name })).rejects.toThrow("earlier version");
    const after = await raw(name);
    expect([...after.objectStoreNames]).toEqual(["entries"]);
    expect(after.version).toBe(1);
    after.close();
  });

  test("an owner that sleeps through others' lives cannot write when it wakes", async () => {
    const name = freshName();
    const sleeper = await filled(name);
    const second = await openIndexedDbStore({ name });
    await second.storage.load();
    const heir = await openIndexedDbStore({ name });
    await heir.storage.load();
    // All that the sleeper had written is compacted, and more is written under the numbers that follow.
    await heir.storage.append(
      write({ hardState: { term: 1, vote: 1, commit: 30 }, entries: entries(11, 30) }),
    );
    const newer = { ...metadata, index: 30 };
    const sink = await heir.snapshots.write(newer);
    await sink.finish();
    await heir.storage.compact(newer, 30);
    for (const old of [sleeper, second]) {
      const lost = new Promise<Error>((resolve) => old.onLost(resolve));
      expect(await codeOf(old.storage.append(write({ entries: entries(11, 12) })))).toBe(
        "STORAGE_LOCKED",
      );
      expect((await lost).message).toContain("taken over");
      expect(await codeOf(old.meta.set("key", new Uint8Array(1)))).toBe("STORAGE_LOCKED");
    }
    await heir.storage.append(write({ entries: entries(31, 31) }));
    await heir.storage.close();
    const again = await openIndexedDbStore({ name });
    const loaded = await again.storage.load();
    expect(loaded.entries.map(({ index }) => index)).toEqual([31]);
    await again.storage.close();
  });

  test("a damaged newest snapshot gives way to the next older while the log covers the rest", async () => {
    const name = freshName();
    const opened = await filled(name);
    const newer = { ...metadata, index: 8 };
    await opened.storage.append(write({ hardState: { term: 1, vote: 1, commit: 9 } }));
    const sink = await opened.snapshots.write(newer);
    await sink.write(new Uint8Array(10));
    await sink.finish();
    await opened.storage.compact(newer, 4);
    await opened.storage.close();
    await tamper(name, "chunks", (s) => s.delete([1, 1, 0]));
    const again = await openIndexedDbStore({ name });
    const loaded = await again.storage.load();
    expect(loaded.snapshot).toEqual(metadata);
    expect(loaded.entries.map(({ index }) => index)).toEqual([5, 6, 7, 8, 9, 10]);
    expect(await again.snapshots.list()).toEqual([metadata]);
    await again.storage.close();
  });

  test("stores are listed by prefix", async () => {
    const prefix = `${freshName()}/`;
    for (const name of ["b", "a"]) {
      await (await openIndexedDbStore({ name: prefix + name })).storage.close();
    }
    expect(await listIndexedDbStores(prefix)).toEqual([`${prefix}a`, `${prefix}b`]);
    await deleteIndexedDbStore(`${prefix}a`);
    expect(await listIndexedDbStores(prefix)).toEqual([`${prefix}b`]);
  });
});
