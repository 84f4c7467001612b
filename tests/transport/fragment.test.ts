import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { message, u8, u32 } from "../../lib/codec/wire.js";
import { Fragmenter, Reassembler, fragmentTag as tag } from "../../lib/transport/fragment.js";
import { frameBytesMax } from "../../lib/transport/transport.js";

const bytes = (length: number, fill = 1): Uint8Array => new Uint8Array(length).fill(fill);

describe("fragments", () => {
  test("come together again, whatever the sizes, the lanes and the moments at which frames join", () => {
    const frames = fc.array(
      fc.record({ length: fc.nat(200), bulk: fc.boolean(), pause: fc.nat(5) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(frames, fc.integer({ min: 6, max: 64 }), (plan, messageBytesMax) => {
        const [out, into] = [new Fragmenter(messageBytesMax), new Reassembler()];
        const arrived: Uint8Array[] = [];
        const carry = (): boolean => {
          const next = out.next();
          if (next === undefined) return false;
          expect(next.length).toBeLessThanOrEqual(messageBytesMax);
          const frame = into.accept(next);
          if (frame !== undefined) arrived.push(frame);
          return true;
        };
        const sent = plan.map(({ length }, index) => bytes(length, index));
        plan.forEach(({ bulk, pause }, index) => {
          expect(out.enqueue(sent[index] as Uint8Array, bulk)).toBe(true);
          for (let i = 0; i < pause; i++) carry();
        });
        while (carry());
        expect(out.empty).toBe(true);
        const lane = (bulk: boolean) => sent.filter((_, index) => plan[index]?.bulk === bulk);
        const ofLane = (bulk: boolean) =>
          arrived.filter((frame) =>
            lane(bulk).some((one) => one.length === frame.length && one[0] === frame[0]),
          );
        expect(arrived).toHaveLength(sent.length);
        for (const bulk of [false, true])
          expect(ofLane(bulk)).toEqual(expect.arrayContaining(lane(bulk)));
      }),
      { numRuns: 300 },
    );
  });

  test("of one lane keep their order", () => {
    const [out, into] = [new Fragmenter(10), new Reassembler()];
    for (const fill of [1, 2, 3]) out.enqueue(bytes(25, fill), false);
    const order: number[] = [];
    for (let next = out.next(); next !== undefined; next = out.next()) {
      const frame = into.accept(next);
      if (frame !== undefined) order.push(frame[0] as number);
    }
    expect(order).toEqual([1, 2, 3]);
  });

  test("of a bulk frame let every other frame pass, in the middle as well", () => {
    const out = new Fragmenter(10);
    out.enqueue(bytes(50), true);
    expect(out.next()?.[0]).toBe(tag.bulkFirst);
    expect(out.next()?.[0]).toBe(tag.bulkNext);
    out.enqueue(bytes(5), false);
    out.enqueue(bytes(12), false);
    expect([out.next(), out.next(), out.next(), out.next()].map((next) => next?.[0])).toEqual([
      tag.whole,
      tag.first,
      tag.next,
      tag.bulkNext,
    ]);
  });

  test("a frame that fits one message is one message", () => {
    const out = new Fragmenter(10);
    out.enqueue(bytes(9), false);
    out.enqueue(bytes(9), true);
    expect(out.next()).toEqual(message(u8(tag.whole), bytes(9)));
    expect(out.next()).toEqual(message(u8(tag.whole), bytes(9)));
    expect(out.next()).toBeUndefined();
  });

  test("a lane takes frames up to its bounds, and a single one above the bound of bytes", () => {
    const limits = { queuedBytesMax: 100, queuedFramesMax: 3 };
    const out = new Fragmenter(1000, limits);
    expect(out.enqueue(bytes(300), false)).toBe(true);
    expect(out.enqueue(bytes(1), false)).toBe(false);
    expect(out.enqueue(bytes(60), true)).toBe(true); // the other lane has its own
    expect(out.enqueue(bytes(41), true)).toBe(false);
    expect([bytes(10), bytes(10), bytes(10)].map((frame) => out.enqueue(frame, true))).toEqual([
      true,
      true,
      false,
    ]);
    expect(out.enqueue(new Uint8Array(frameBytesMax + 1), true)).toBe(false);
    out.next();
    expect(out.enqueue(bytes(1), false)).toBe(true);
  });
});

describe("a reassembler", () => {
  const first = (total: number, part: number): Uint8Array =>
    message(u8(tag.first), u32(total), bytes(part));
  const next = (part: number): Uint8Array => message(u8(tag.next), bytes(part));
  const bulkNext = message(u8(tag.bulkNext), bytes(1));
  test.each<[string, readonly Uint8Array[], RegExp]>([
    ["an empty message", [new Uint8Array(0)], /needs 1 bytes/],
    ["an unknown tag", [Uint8Array.of(99)], /tag 99/],
    ["a part without a frame", [next(1)], /without a frame/],
    ["a part of the other lane", [first(10, 5), bulkNext], /without a frame/],
    ["a frame within a frame", [first(10, 5), first(10, 5)], /before the last one ended/],
    ["a part too long", [first(10, 5), next(6)], /part of 6 bytes, 5 missing/],
    ["an empty part", [first(10, 5), next(0)], /part of 0 bytes/],
    ["a first part that is all", [first(10, 10)], /first part of 10 bytes in a frame of 10/],
    ["an empty first part", [first(10, 0)], /first part of 0 bytes/],
    ["a frame above the bound", [first(1001, 5)], /frame of 1001 bytes, at most 1000/],
    ["a length cut short", [Uint8Array.of(tag.first, 0, 0)], /needs 1 bytes/],
    ["a part after the end", [first(10, 5), next(5), next(1)], /without a frame/],
  ])("refuses %s", (_, messages, rule) => {
    const into = new Reassembler(1000);
    expect(() => {
      for (const one of messages) into.accept(one);
    }).toThrow(rule);
  });

  test("throws nothing but DecodeError for any bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }), (messages) => {
        const into = new Reassembler();
        for (const one of messages) {
          if (one.length > 0) one[0] = 16 + ((one[0] as number) % 5); // mostly tags that exist
          try {
            into.accept(one);
          } catch (error) {
            expect(error).toMatchObject({ code: "DECODE" });
          }
        }
      }),
    );
  });
});
