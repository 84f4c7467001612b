import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError } from "../../lib/base/errors.js";
import type { Entry } from "../../lib/core/types.js";
import { packEntries, unpackEntries } from "../../lib/storage/entry-batch.js";
import { decodeRecord, encodeRecord, type LogRecord } from "../../lib/storage/log-record.js";

const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

const batch = fc
  .tuple(
    fc.integer({ min: 1, max: 2 ** 52 }),
    fc.array(
      fc.record({
        term: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        type: fc.constantFrom("EntryNormal", "EntryConfChange", "EntryConfChangeV2"),
        data: fc.uint8Array({ maxLength: 300 }),
      }),
      { maxLength: 20 },
    ),
  )
  .map(([first, entries]): Entry[] =>
    entries.map((entry, n) => ({ ...entry, index: first + n, unknown: undefined })),
  );

const position = fc.record({ index: number, term: number });
const record: fc.Arbitrary<LogRecord> = fc
  .record({
    takesOver: fc.boolean(),
    boot: number,
    from: number,
    shape: fc.record({
      hardState: fc.record({ term: number, vote: number, commit: number }),
      compacted: position,
      last: position,
    }),
    entries: batch,
  })
  .filter(({ shape }) => {
    const { hardState, compacted, last } = shape;
    return compacted.index <= last.index && hardState.commit <= last.index;
  });

describe("packed entries", () => {
  test("come back as they were, behind any head", () => {
    fc.assert(
      fc.property(batch, fc.uint8Array({ maxLength: 9 }), (entries, head) => {
        const bytes = packEntries(entries, head);
        expect(bytes.subarray(0, head.length)).toEqual(head);
        expect(unpackEntries(bytes, head.length)).toEqual(entries);
      }),
    );
  });
});

describe("a record of the log", () => {
  test("comes back as it was", () => {
    fc.assert(
      fc.property(record, (one) => {
        expect(decodeRecord(encodeRecord(one))).toEqual(one);
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
    const last = { index: 3, term: 4 };
    const hardState = { term: 4, vote: 2, commit: 1 };
    const shape = { hardState, compacted: { index: 0, term: 0 }, last };
    const bytes = encodeRecord({ takesOver: false, boot: 300, from: 7, shape, entries });
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeRecord(bytes.subarray(0, length))).toThrow(DecodeError);
    }
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decodeRecord(flipped)).toThrow(DecodeError);
    }
  });
});
