/** Storage suite: the bodies of snapshots, which stream in and out. */
import { seededRandom } from "../../base/random.js";
import { rejects, same } from "./expect.js";
import {
  body,
  bytes,
  crash,
  metadata,
  noise,
  type StorageCase,
  snapshot,
  store,
  write,
  writeBody,
} from "./storage-target.js";

export const bodies: readonly StorageCase[] = [
  {
    name: "a body comes back in order, whatever the sizes of its chunks",
    async run(target) {
      const { opened } = await store(target);
      const random = seededRandom(11);
      const chunks = [0, 1, 70_000, 5, 1_300_000, 0, 65_536].map((size) => noise(random, size));
      await writeBody(opened.snapshots, metadata(7, 2), chunks);
      same(
        await body(opened.snapshots, metadata(7, 2)),
        chunks.flatMap((chunk) => [...chunk]),
      );
      await writeBody(opened.snapshots, metadata(9, 2), []);
      same(await body(opened.snapshots, metadata(9, 2)), []);
      await opened.storage.close();
    },
  },
  {
    name: "a chunk may be reused once it was written, and bodies may be written side by side",
    async run(target) {
      const { opened } = await store(target);
      const [one, two] = [metadata(3, 1), metadata(4, 1)];
      const sinks = [await opened.snapshots.write(one), await opened.snapshots.write(two)];
      const chunk = new Uint8Array(300_000);
      for (let n = 1; n <= 6; n++) {
        for (const [which, sink] of sinks.entries()) {
          chunk.fill(10 * which + n);
          await sink.write(chunk);
        }
      }
      chunk.fill(99);
      for (const sink of sinks) await sink.finish();
      for (const [which, about] of [one, two].entries()) {
        const read = await body(opened.snapshots, about);
        const kinds = [...new Set(read)].map((byte) => byte - 10 * which);
        same([read.length, kinds], [1_800_000, [1, 2, 3, 4, 5, 6]]);
      }
      await opened.storage.close();
    },
  },
  {
    name: "a body is listed once finished, newest first, and not when given up",
    async run(target) {
      const { opened } = await store(target);
      await writeBody(opened.snapshots, metadata(3, 1), [bytes(3)]);
      await writeBody(opened.snapshots, metadata(12, 2), [bytes(12)]);
      await writeBody(opened.snapshots, metadata(7, 2), [bytes(7)]);
      const given = await opened.snapshots.write(metadata(20, 2));
      await given.write(bytes(1, 2, 3));
      same(
        (await opened.snapshots.list()).map(({ index }) => index),
        [12, 7, 3],
      );
      await given.abort();
      await rejects("CLOSED", () => given.finish());
      same(await opened.snapshots.list(), [metadata(12, 2), metadata(7, 2), metadata(3, 1)]);
      await opened.snapshots.drop(metadata(7, 2));
      await opened.snapshots.drop(metadata(99, 2));
      same(
        (await opened.snapshots.list()).map(({ index }) => index),
        [12, 3],
      );
      await rejects("NOT_FOUND", () => body(opened.snapshots, metadata(7, 2)));
      await opened.storage.close();
    },
  },
  {
    name: "a second body under the same name takes the first one's place",
    async run(target) {
      const { opened } = await store(target);
      await writeBody(opened.snapshots, metadata(3, 1), [bytes(1), bytes(2)]);
      await writeBody(opened.snapshots, metadata(3, 1), [bytes(8, 9)]);
      same((await opened.snapshots.list()).length, 1);
      same(await body(opened.snapshots, metadata(3, 1)), [8, 9]);
      await opened.storage.close();
    },
  },
  {
    name: "an unfinished body is gone after a crash, a named one is not",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ snapshot: snapshot(4, 1, bytes(4)) }));
      const sink = await opened.snapshots.write(metadata(9, 1));
      await sink.write(new Uint8Array(2_000_000));
      const { opened: after } = await crash(target, opened);
      same(await after.snapshots.list(), [metadata(4, 1)]);
      await after.storage.close();
    },
  },
  {
    name: "the only snapshot the log needs is not dropped, an older one is",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ snapshot: snapshot(4, 1, bytes(4)) }));
      await rejects("BAD_INPUT", () => opened.snapshots.drop(metadata(4, 1)));
      await opened.storage.append(write({ snapshot: snapshot(9, 2, bytes(9)) }));
      await opened.snapshots.drop(metadata(4, 1));
      await rejects("BAD_INPUT", () => opened.snapshots.drop(metadata(9, 2)));
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.snapshot, metadata(9, 2));
      same(await after.snapshots.list(), [metadata(9, 2)]);
      await after.storage.close();
    },
  },
  {
    name: "a body that is being read is read to its end, though it is replaced and dropped meanwhile",
    async run(target) {
      const { opened } = await store(target);
      const about = metadata(7, 2);
      const chunks = [1, 2, 3, 4].map((n) => new Uint8Array(400_000).fill(n));
      await writeBody(opened.snapshots, about, chunks);
      const reader = opened.snapshots.read(about)[Symbol.asyncIterator]();
      const found = { bytes: 0, kinds: new Set<number>() };
      const read = async (): Promise<boolean> => {
        const { done, value } = await reader.next();
        if (done === true) return false;
        found.bytes += value.length;
        for (const byte of value) found.kinds.add(byte);
        return true;
      };
      await read();
      await writeBody(opened.snapshots, about, [new Uint8Array(500_000).fill(9)]);
      await read();
      await opened.snapshots.drop(about);
      same(await opened.snapshots.list(), []);
      while (await read());
      same([found.bytes, [...found.kinds]], [1_600_000, [1, 2, 3, 4]]);
      await rejects("NOT_FOUND", () => body(opened.snapshots, about));
      const { opened: after } = await crash(target, opened);
      same(await after.snapshots.list(), []);
      await after.storage.close();
    },
  },
  {
    name: "a body that was dropped while it was read, and arrived again before its end, is there",
    async run(target) {
      const { opened } = await store(target);
      const about = metadata(7, 2);
      const chunks = [1, 2, 3, 4].map((n) => new Uint8Array(400_000).fill(n));
      await writeBody(opened.snapshots, about, chunks);
      let pieces = 0;
      for await (const _ of opened.snapshots.read(about)) {
        if (pieces++ > 0) continue;
        await opened.snapshots.drop(about);
        await writeBody(opened.snapshots, about, chunks);
      }
      same(await opened.snapshots.list(), [about]);
      same((await body(opened.snapshots, about)).length, 1_600_000);
      await opened.storage.append(write({ snapshot: snapshot(7, 2, new Uint8Array(0)) }));
      const { opened: after, loaded } = await crash(target, opened);
      same(loaded.snapshot, about);
      same((await body(after.snapshots, about)).length, 1_600_000);
      await after.storage.close();
    },
  },
];
