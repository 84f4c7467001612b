/** The writer: one write in flight, the rest joined, and silence after a failure. */
import { describe, expect, it } from "vitest";
import type { Write } from "../../lib/core/types.js";
import { createWriter } from "../../lib/runtime/writer.js";

const write = (id: number, term = id): Write => ({
  id,
  hardState: { term, vote: 0, commit: 0 },
  snapshot: undefined,
  entries: [],
  sync: true,
});

/** A disk that answers when it is told to. */
function createDisk(): {
  writer: ReturnType<typeof createWriter>;
  saved: Write[];
  durable: number[];
  failures: unknown[];
  answer(error?: Error): Promise<void>;
} {
  const saved: Write[] = [];
  const durable: number[] = [];
  const failures: unknown[] = [];
  const waiting: ((error?: Error) => void)[] = [];
  const writer = createWriter({
    save: (one) => {
      saved.push(one);
      return new Promise((resolve, reject) => {
        waiting.push((error) => (error === undefined ? resolve() : reject(error)));
      });
    },
    durable: (one) => durable.push(one.id),
    failed: (error) => failures.push(error),
  });
  const answer = async (error?: Error): Promise<void> => {
    waiting.shift()?.(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { writer, saved, durable, failures, answer };
}

describe("the writer", () => {
  it("joins what waits while the disk works", async () => {
    const { writer, saved, durable, answer } = createDisk();
    for (const id of [1, 2, 3, 4]) writer.enqueue(write(id));
    expect(saved.map(({ id }) => id)).toEqual([1]);
    await answer();
    expect(saved.map(({ id }) => id)).toEqual([1, 4]);
    expect(saved[1]?.hardState?.term).toBe(4);
    await answer();
    expect(durable).toEqual([1, 4]);
  });

  it("starts again after a rest", async () => {
    const { writer, durable, answer } = createDisk();
    writer.enqueue(write(1));
    await answer();
    await writer.idle();
    writer.enqueue(write(2));
    await answer();
    expect(durable).toEqual([1, 2]);
  });

  it("takes a write that comes in the very moment it goes to rest", async () => {
    // Between the last write's end and the next task there are several microtasks: one enqueued in each must be written.
    for (let delay = 0; delay < 12; delay++) {
      const durable: number[] = [];
      const writer = createWriter({
        save: async () => {},
        durable: ({ id }) => {
          durable.push(id);
          if (id > 1) return;
          let turn = Promise.resolve();
          for (let i = 0; i < delay; i++) turn = turn.then(() => {});
          void turn.then(() => writer.enqueue(write(2)));
        },
        failed: () => {},
      });
      writer.enqueue(write(1));
      await new Promise((resolve) => setImmediate(resolve));
      expect(durable, `enqueued ${delay} microtasks later`).toEqual([1, 2]);
    }
  });

  it("reports the first failure, and neither retries nor writes on", async () => {
    const { writer, saved, durable, failures, answer } = createDisk();
    writer.enqueue(write(1));
    writer.enqueue(write(2));
    const broken = new Error("disk full");
    await answer(broken);
    writer.enqueue(write(3));
    expect(saved).toHaveLength(1);
    expect(durable).toEqual([]);
    expect(failures).toEqual([broken]);
  });

  it("reports nothing once stopped", async () => {
    const { writer, durable, failures, answer } = createDisk();
    writer.enqueue(write(1));
    writer.stop();
    await answer();
    expect([durable, failures]).toEqual([[], []]);
  });
});
