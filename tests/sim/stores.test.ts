/** The stores of the simulator: real adapters over simulated media, which must be media as the adapters were promised. */
import { beforeEach, describe, expect, it, test } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { type Entry, emptyConfState } from "../../lib/core/types.js";
import type { OpenedStore, SnapshotSink, StorageWrite } from "../../lib/storage/storage.js";
import { storageConformance } from "../../lib/testing/conformance/storage.js";
import { Content, SimKeyRange } from "../../lib/testing/database-content.js";
import { EventQueue } from "../../lib/testing/event-queue.js";
import type { Image } from "../../lib/testing/record-disk.js";
import { SimDatabases } from "../../lib/testing/sim-databases.js";
import { SimFiles } from "../../lib/testing/sim-files.js";
import { Database, type DatabaseHost, type Request } from "../../lib/testing/sim-indexeddb.js";
import { installNames } from "../../lib/testing/sim-indexeddb-open.js";
import type { SimMedium } from "../../lib/testing/sim-medium.js";
import { SimProcess } from "../../lib/testing/sim-process.js";
import { createTurns } from "../../lib/testing/turns.js";

/** A world of its own for each test: time passes while a promise is waited for. */
class World {
  readonly queue = new EventQueue();
  readonly seen: string[] = [];
  process = this.#newProcess();

  #newProcess(): SimProcess {
    const world = {
      now: () => this.queue.now,
      after: (ms: number, run: () => void) => this.queue.after(ms, run),
    };
    return new SimProcess(world, 1, () => 0);
  }

  medium(kind: "files" | "indexedDb", meanMs = 3): SimMedium {
    const options = {
      random: seededRandom(5),
      meanMs,
      segmentBytes: 600,
      slowRename: true,
      sometimes: (what: string) => this.seen.push(what),
    };
    return kind === "files" ? new SimFiles(options) : new SimDatabases(options);
  }

  /** The process ends, and with it whatever it awaited. */
  die(): void {
    this.process.end();
    this.process = this.#newProcess();
  }

  async settled<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const done = promise.finally(() => {
      over = true;
    });
    done.catch(() => {});
    await this.passes(() => over);
    return await done;
  }

  async passes(until: () => boolean): Promise<void> {
    const turns = createTurns();
    for (let events = 0; !until(); events++) {
      if (events > 200_000) throw new Error("nothing comes of it");
      await turns.next();
      this.queue.step(this.queue.now + 1_000);
    }
    turns.close();
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});

const write = (parts: Partial<StorageWrite>): StorageWrite => ({
  hardState: undefined,
  snapshot: undefined,
  entries: [],
  sync: true,
  ...parts,
});

const entry = (index: number, term = 1): Entry => ({
  term,
  index,
  type: "EntryNormal",
  data: new Uint8Array(40).fill(index),
  unknown: undefined,
});

const kinds = ["files", "indexedDb"] as const;

describe.each(kinds)("%s", (kind) => {
  test.each(storageConformance)("$name", async ({ run }) => {
    const medium = world.medium(kind);
    const target = {
      open: (options = {}) => medium.open(world.process, options),
      async abandon(): Promise<void> {
        medium.ended(world.process);
        world.die();
      },
    };
    await world.settled(run(target));
  });

  async function opened(medium: SimMedium): Promise<OpenedStore> {
    const store = await world.settled(medium.open(world.process, {}));
    await world.settled(store.storage.load());
    return store;
  }

  async function lastOf(medium: SimMedium): Promise<number> {
    const store = await world.settled(medium.open(world.process, {}));
    const { entries } = await world.settled(store.storage.load());
    return entries.at(-1)?.index ?? 0;
  }

  it("keeps what it acknowledged when the machine goes down, and of the rest nothing by halves", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const medium = world.medium(kind);
      const { storage } = await opened(medium);
      await world.settled(storage.append(write({ entries: [entry(1), entry(2)] })));
      storage.append(write({ entries: [entry(3), entry(4)] })).catch(() => {});
      let left = seed % 7;
      await world.passes(() => left-- === 0);
      world.die();
      medium.crash(0, () => false);
      expect([2, 3, 4]).toContain(await lastOf(medium));
    }
  });

  it("loses what a flush lied about, where that is allowed", async () => {
    const lost: (Image | undefined)[] = [];
    for (const allowed of [true, false]) {
      const medium = world.medium(kind);
      const { storage } = await opened(medium);
      await world.settled(storage.append(write({ entries: [entry(1)] })));
      medium.flushed.write(write({ entries: [entry(1)] }));
      medium.lieNext = true;
      await world.settled(storage.append(write({ entries: [entry(2)] })));
      world.die();
      medium.crash(0, (left) => {
        lost.push(left);
        return allowed;
      });
      expect(medium.suspect).toBe(allowed ? "a flush that lied" : undefined);
      const last = await lastOf(medium).catch(() => "refused");
      // The mark of what was flushed may have survived: then the log says that it lacks something.
      expect(allowed ? [1, "refused"] : [2]).toContain(last);
    }
    expect(lost.map((image) => image?.lastIndex)).toEqual([1, 1]);
    expect(world.seen).toContain("a flush lied");
  });

  it("can be put back to an earlier copy, which who knows better refuses", async () => {
    const medium = world.medium(kind);
    const { storage, acknowledged } = await opened(medium);
    await world.settled(storage.append(write({ entries: [entry(1)] })));
    const backup = medium.backUp();
    await world.settled(storage.append(write({ entries: [entry(2)] })));
    world.die();
    medium.restore(backup);
    const refused = world.settled(medium.open(world.process, { notBelow: acknowledged() }));
    await expect(refused).rejects.toMatchObject({ code: "STORE_WENT_BACK" });
    expect(await lastOf(medium)).toBe(1);
  });

  it.each([
    ["refuses an older copy", true],
    ["opens a store that is sound", false],
  ])("%s, wherever an opening that was to find out was cut short", async (_name, older) => {
    const cutShort = async (left: number, survives: number): Promise<boolean> => {
      const medium = world.medium(kind);
      const { storage, acknowledged } = await opened(medium);
      const hardState = { term: 1, vote: 1, commit: 0 };
      await world.settled(storage.append(write({ hardState, entries: [entry(1)] })));
      const backup = medium.backUp();
      await world.settled(storage.append(write({ entries: [entry(2), entry(3)] })));
      storage.append(write({ entries: [entry(4), entry(5)] })).catch(() => {});
      const notBelow = acknowledged();
      world.die();
      medium.crash(survives, () => false);
      if (older) medium.restore(backup);
      let ended = false;
      const end = (): void => {
        ended = true;
      };
      medium.open(world.process, { notBelow }).then(end, end);
      await world.passes(() => ended || left-- === 0);
      world.die();
      // What it had been answered before, it still goes about.
      await world.settled(Promise.resolve());
      medium.crash(survives, () => false);
      const again = world.settled(medium.open(world.process, { notBelow }));
      if (older) await expect(again).rejects.toMatchObject({ code: "STORE_WENT_BACK" });
      else expect((await again).identity.boot).toBeGreaterThan(1);
      return ended;
    };
    for (const survives of [0, 0.5, 1]) {
      let steps = 0;
      while (!(await cutShort(steps, survives))) steps++;
      expect(steps).toBeGreaterThan(5);
    }
  });

  it("keeps a snapshot's body that arrives once more while the log is cut behind it", async () => {
    const metadata = { index: 2, term: 1, confState: { ...emptyConfState, voters: [1] } };
    for (let wait = 0; wait < 12; wait++) {
      const medium = world.medium(kind);
      const { storage, snapshots } = await opened(medium);
      await world.settled(storage.append(write({ entries: [entry(1), entry(2)] })));
      const body = async (): Promise<SnapshotSink> => {
        const sink = await snapshots.write(metadata);
        await sink.write(new Uint8Array([7]));
        return sink;
      };
      const own = await world.settled(body());
      await world.settled(own.finish());
      const again = (await world.settled(body())).finish();
      let left = wait;
      await world.passes(() => left-- === 0);
      await world.settled(Promise.all([again, storage.compact(metadata, 1)]));
      const read = async (): Promise<number[]> => {
        const bytes: number[] = [];
        for await (const chunk of snapshots.read(metadata)) bytes.push(...chunk);
        return bytes;
      };
      expect(await world.settled(read())).toEqual([7]);
    }
  });

  it("reports a failure once, and is sound for whoever opens it next", async () => {
    const medium = world.medium(kind);
    const { storage } = await opened(medium);
    await world.settled(storage.append(write({ entries: [entry(1)] })));
    medium.failNext = true;
    const failed = world.settled(storage.append(write({ entries: [entry(2)] })));
    await expect(failed).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    const after = world.settled(storage.append(write({ entries: [entry(2)] })));
    await expect(after).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    world.die();
    medium.crash(1, () => false);
    expect([1, 2]).toContain(await lastOf(medium));
  });

  it("shows a flipped bit, or does without what it was in", async () => {
    let refused = 0;
    for (let n = 0; n < 30; n++) {
      const medium = world.medium(kind, 0);
      const { storage } = await opened(medium);
      for (let i = 1; i <= 9; i++) {
        await world.settled(storage.append(write({ entries: [entry(i)] })));
      }
      world.die();
      medium.crash(1, () => false);
      for (let i = 0; i <= n; i++) medium.rot();
      const last = await lastOf(medium).catch((error: { code: string }) => error.code);
      if (last === "STORAGE_FAILED") refused++;
      else expect(last).toBe(9);
      world.die();
    }
    expect(refused).toBeGreaterThan(20);
  });
});

describe("the stand-in for IndexedDB", () => {
  let content: Content;
  let database: Database;
  let commits: (DOMException | undefined)[];

  beforeEach(() => {
    installNames();
    content = new Content();
    content.createStore("a");
    content.createStore("b");
    commits = [];
    const host: DatabaseHost = {
      content,
      transactions: [],
      create() {},
      soon: (run) => world.queue.after(0, run),
      commit(_changes, settle) {
        const error = commits.shift();
        world.queue.after(1, () => settle(error ?? "complete"));
      },
    };
    database = new Database(host);
  });

  const answer = (request: Request): Promise<unknown> =>
    world.settled(
      new Promise((resolve, reject) => {
        request.addEventListener("success", () => resolve(request.result));
        request.addEventListener("error", () => reject(request.error));
      }),
    );

  const end = (transaction: ReturnType<Database["transaction"]>): Promise<string> =>
    world.settled(
      new Promise((resolve) => {
        for (const type of ["complete", "abort"]) {
          transaction.addEventListener(type, () => resolve(type));
        }
      }),
    );

  it("keeps keys in their order, and copies values on their way in and out", async () => {
    const one = database.transaction(["a"], "readwrite");
    const store = one.objectStore("a");
    const value = { bytes: new Uint8Array([1]) };
    for (const key of [[1, 2], "x", 10, 9, [1]]) store.put(value, key);
    value.bytes[0] = 7;
    const asked = [store.getAllKeys(), store.get(9), store.get(9)];
    store.delete(SimKeyRange.bound(9, "x", true));
    asked.push(store.getAllKeys(), store.getAll(SimKeyRange.lowerBound([1]), 1));
    const [keys, read, again, left, from] = await Promise.all(asked.map(answer));
    expect(keys).toEqual([9, 10, "x", [1], [1, 2]]);
    expect(left).toEqual([9, [1], [1, 2]]);
    expect(from).toEqual([{ bytes: new Uint8Array([1]) }]);
    expect(read).toEqual({ bytes: new Uint8Array([1]) });
    expect(read).not.toBe(again);
  });

  it("ends a transaction of which nothing more is asked, and takes no request then", async () => {
    const one = database.transaction(["a"], "readwrite");
    const store = one.objectStore("a");
    store.put(1, 1);
    expect(await end(one)).toBe("complete");
    expect(() => store.put(2, 2)).toThrow(/over/);
    expect(() => one.commit()).toThrow(/over/);
  });

  it("undoes all of a transaction that is aborted, or whose commit fails", async () => {
    const first = database.transaction(["a"], "readwrite");
    first.objectStore("a").put("before", 1);
    expect(await end(first)).toBe("complete");
    const aborted = database.transaction(["a"], "readwrite");
    aborted.objectStore("a").put("after", 1);
    aborted
      .objectStore("a")
      .put("new", 2)
      .addEventListener("success", () => aborted.abort());
    expect(await end(aborted)).toBe("abort");
    commits = [new DOMException("full", "QuotaExceededError")];
    const full = database.transaction(["a"], "readwrite");
    full.objectStore("a").delete(1);
    expect(await end(full)).toBe("abort");
    expect(full.error?.name).toBe("QuotaExceededError");
    const reading = database.transaction(["a"]);
    expect(await answer(reading.objectStore("a").getAll())).toEqual(["before"]);
  });

  it("lets transactions over the same store wait for one another, and others not", async () => {
    const order: string[] = [];
    const begin = (
      name: string,
      store: string,
      mode: "readonly" | "readwrite",
    ): Promise<string> => {
      const transaction = database.transaction([store], mode);
      const request = transaction.objectStore(store).get(1);
      request.addEventListener("success", () => order.push(name));
      return end(transaction);
    };
    const ends = [
      begin("writes a", "a", "readwrite"),
      begin("reads a", "a", "readonly"),
      begin("reads b", "b", "readonly"),
    ];
    await Promise.all(ends);
    expect(order).toEqual(["writes a", "reads b", "reads a"]);
  });

  it("refuses what is out of scope, and writing in a transaction that reads", async () => {
    const reading = database.transaction(["a"]);
    expect(() => reading.objectStore("b")).toThrow(/scope/);
    await expect(answer(reading.objectStore("a").put(1, 1))).rejects.toThrow(/only reads/);
    database.close();
    expect(() => database.transaction(["a"])).toThrow(/closed/);
  });
});
