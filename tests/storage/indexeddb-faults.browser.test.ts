import { afterEach, describe, expect, test } from "vitest";
import type { Entry } from "../../lib/core/types.js";
import { openIndexedDbStore } from "../../lib/storage/indexeddb.js";
import type { OpenedStore, StorageWrite } from "../../lib/storage/storage.js";

const put = IDBObjectStore.prototype.put;
const add = IDBObjectStore.prototype.add;
const open = IDBFactory.prototype.open;
const mend = (): void => {
  IDBObjectStore.prototype.put = put;
  IDBObjectStore.prototype.add = add;
};
afterEach(() => {
  mend();
  IDBFactory.prototype.open = open;
});

let counter = 0;
const freshName = (): string => `faults/${counter++}`;

/** Lets the `number`-th put or add of the real IndexedDB go wrong; returns how many there were. */
function breakPut(number: number, fault: (store: IDBObjectStore) => void): () => number {
  let puts = 0;
  const counted = (original: typeof put) =>
    function (this: IDBObjectStore, ...args: unknown[]) {
      puts++;
      if (puts === number) fault(this);
      return original.apply(this, args as [unknown]);
    };
  IDBObjectStore.prototype.put = counted(put);
  IDBObjectStore.prototype.add = counted(add);
  return () => puts;
}

const confState = {
  voters: [1],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

function entries(from: number, to: number, term: number): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, n) => ({
    term,
    index: from + n,
    type: "EntryNormal",
    data: new Uint8Array(50),
    unknown: undefined,
  }));
}

function write(parts: Partial<StorageWrite>): StorageWrite {
  return { hardState: undefined, snapshot: undefined, entries: [], sync: true, ...parts };
}

/** A life with every kind of write. */
const life: ((store: OpenedStore) => Promise<unknown>)[] = [
  (s) => s.storage.append(write({ hardState: { term: 1, vote: 1, commit: 0 } })),
  (s) => s.storage.append(write({ entries: entries(1, 5, 1) })),
  (s) =>
    s.storage.append(
      write({ hardState: { term: 2, vote: 0, commit: 2 }, entries: entries(4, 8, 2) }),
    ),
  (s) => s.meta.set("secret", new Uint8Array(4)),
  async (s) => {
    const metadata = { index: 2, term: 1, confState };
    const sink = await s.snapshots.write(metadata);
    await sink.write(new Uint8Array(100_000));
    await sink.finish();
    await s.storage.compact(metadata, 1);
  },
  (s) =>
    s.storage.append(
      write({
        hardState: { term: 3, vote: 2, commit: 12 },
        snapshot: {
          metadata: { index: 12, term: 3, confState },
          data: new Uint8Array(9),
          unknown: undefined,
        },
        entries: entries(13, 14, 3),
      }),
    ),
  (s) => s.storage.append(write({ entries: entries(15, 15, 3) })),
];

async function codeOf(run: Promise<unknown>): Promise<string> {
  return await run.then(
    () => "resolved",
    (error: { code?: string }) => error.code ?? String(error),
  );
}

describe("IndexedDB that fails in the middle of a life", () => {
  const faults: [name: string, fault: (store: IDBObjectStore) => void][] = [
    ["the transaction aborts", (store) => store.transaction.abort()],
    [
      "the quota is exceeded",
      () => {
        throw new DOMException("full", "QuotaExceededError");
      },
    ],
    [
      "the connection is closing",
      () => {
        throw new DOMException("closing", "InvalidStateError");
      },
    ],
    [
      "the browser closes the database",
      (store) => store.transaction.db.dispatchEvent(new Event("close")),
    ],
    [
      "another page wants to delete or upgrade it",
      (store) => store.transaction.db.dispatchEvent(new IDBVersionChangeEvent("versionchange")),
    ],
  ];

  test.each(faults)(
    "%s, at every put and add: nothing is acknowledged afterwards, and nothing goes back",
    async (_name, fault) => {
      const trial = await openIndexedDbStore({ name: freshName() });
      await trial.storage.load();
      const count = breakPut(0, () => {});
      for (const step of life) await step(trial);
      const puts = count();
      mend();
      await trial.storage.close();
      expect(puts).toBeGreaterThan(12);

      for (let number = 1; number <= puts; number++) {
        const name = freshName();
        const store = await openIndexedDbStore({ name });
        await store.storage.load();
        const lost: Error[] = [];
        store.onLost((error) => lost.push(error));
        breakPut(number, fault);
        let failed = false;
        for (const step of life) {
          const code = await codeOf(step(store));
          if (failed) expect(code).toBe("STORAGE_FAILED");
          else if (code !== "resolved") {
            expect(code).toBe("STORAGE_FAILED");
            failed = true;
          }
        }
        mend();
        expect(failed).toBe(true);
        expect(lost).toHaveLength(1);
        await store.storage.close();
        // Exactly what was acknowledged, or that and the write that was under way.
        const again = await openIndexedDbStore({ name, notBelow: store.acknowledged() });
        await again.storage.load();
        await again.storage.close();
      }
    },
  );

  test("the browser closes the connection: what is under way is refused, the owner is told", async () => {
    let database: IDBDatabase | undefined;
    IDBFactory.prototype.open = function (this: IDBFactory, ...args) {
      const request = open.apply(this, args as [string]);
      request.addEventListener("success", () => {
        database = request.result;
      });
      return request;
    };
    const name = freshName();
    const store = await openIndexedDbStore({ name });
    await store.storage.load();
    const lost: Error[] = [];
    store.onLost((error) => lost.push(error));
    const underWay = codeOf(store.storage.append(write({ entries: entries(1, 2, 1) })));
    database?.dispatchEvent(new Event("close"));
    expect(await underWay).toBe("STORAGE_FAILED");
    expect(await codeOf(store.storage.append(write({ entries: entries(1, 2, 1) })))).toBe(
      "STORAGE_FAILED",
    );
    expect(lost).toHaveLength(1);
    expect(lost[0]?.message).toContain("the browser closed its database");
    const again = await openIndexedDbStore({ name, notBelow: store.acknowledged() });
    await again.storage.close();
  });
});

test("a commit index alone costs no transaction until something else is written", async () => {
  const name = freshName();
  const store = await openIndexedDbStore({ name });
  await store.storage.load();
  await store.storage.append(write({ entries: entries(1, 5, 1) }));
  const puts = breakPut(-1, () => {});
  await store.storage.append(write({ hardState: { term: 0, vote: 0, commit: 4 }, sync: false }));
  expect(puts()).toBe(0);
  await store.storage.append(write({ entries: entries(6, 6, 1), sync: false }));
  expect(puts()).toBe(1);
  const again = await openIndexedDbStore({ name });
  expect((await again.storage.load()).hardState.commit).toBe(4);
  await again.storage.close();
});

test("every transaction that writes is strict, as the browser says when asked", async () => {
  const { transaction } = IDBDatabase.prototype;
  const writing: string[] = [];
  IDBDatabase.prototype.transaction = function (...args) {
    const made = transaction.apply(this, args);
    if (made.mode === "readwrite") writing.push(made.durability);
    return made;
  };
  try {
    const store = await openIndexedDbStore({ name: freshName() });
    await store.storage.load();
    for (const step of life) await step(store);
    await store.storage.close();
  } finally {
    IDBDatabase.prototype.transaction = transaction;
  }
  expect(writing.length).toBeGreaterThan(life.length);
  expect([...new Set(writing)]).toEqual(["strict"]);
});
