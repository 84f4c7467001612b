import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError } from "../../lib/base/errors.js";
import type { Entry } from "../../lib/core/types.js";
import { decodeBatch, encodeBatch } from "../../lib/storage/entry-batch.js";

const batch = fc
  .tuple(
    fc.integer({ min: 1, max: 2 ** 52 }),
    fc.array(
      fc.record({
        term: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        type: fc.constantFrom("EntryNormal", "EntryConfChange", "EntryConfChangeV2"),
        data: fc.uint8Array({ maxLength: 300 }),
      }),
      { minLength: 1, maxLength: 20 },
    ),
  )
  .map(([first, entries]): Entry[] =>
    entries.map((entry, n) => ({ ...entry, index: first + n, unknown: undefined })),
  );

describe("a batch of entries", () => {
  test("comes back as it was", () => {
    fc.assert(
      fc.property(batch, (entries) => {
        expect(decodeBatch(encodeBatch(entries))).toEqual(entries);
      }),
    );
  });

  test("cut, or with any bit flipped, is a DecodeError", () => {
    const entries: Entry[] = [1, 2, 3].map((index) => ({
      term: 4,
      index,
      type: "EntryNormal",
      data: new Uint8Array(index).fill(index),
      unknown: undefined,
    }));
    const bytes = encodeBatch(entries);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeBatch(bytes.subarray(0, length))).toThrow(DecodeError);
    }
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decodeBatch(flipped)).toThrow(DecodeError);
    }
  });
});
