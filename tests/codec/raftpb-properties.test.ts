import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError } from "../../lib/base/errors.js";
import {
  decodeMessage,
  decodeMessages,
  encodeMessage,
  encodeMessages,
} from "../../lib/codec/raftpb.js";
import {
  decodeConfChange,
  decodeConfChangeV2,
  encodeConfChange,
  encodeConfChangeV2,
} from "../../lib/codec/raftpb-confchange.js";
import {
  confChangeTransitions,
  confChangeTypes,
  entryTypes,
  wireMessageTypes,
} from "../../lib/codec/raftpb-fields.js";
import {
  decodeConfState,
  decodeEntry,
  decodeHardState,
  decodeSnapshot,
  encodeConfState,
  encodeEntry,
  encodeHardState,
  encodeSnapshot,
  type Zeros,
} from "../../lib/codec/raftpb-log.js";
import * as inCore from "../../lib/core/confchange-codec.js";
import type {
  ConfChange,
  ConfChangeV2,
  ConfState,
  Entry,
  HardState,
  Message,
  MessageType,
  Snapshot,
} from "../../lib/core/types.js";
import { bytesOf } from "./records.js";

const number = fc.oneof(fc.nat(200), fc.maxSafeNat());
const id = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.maxSafeNat());
const ids = fc.array(id, { maxLength: 5 });
const bytes = fc.uint8Array({ maxLength: 40 });
const unknown = fc.constantFrom(undefined, bytesOf("c03e05"), bytesOf("ca3e026869"));

const entry: fc.Arbitrary<Entry> = fc.record({
  term: number,
  index: number,
  type: fc.constantFrom(...entryTypes),
  data: bytes,
  unknown,
});
const hardState: fc.Arbitrary<HardState> = fc.record({ term: number, vote: id, commit: number });
const confState: fc.Arbitrary<ConfState> = fc.record({
  voters: ids,
  learners: ids,
  votersOutgoing: ids,
  learnersNext: ids,
  autoLeave: fc.boolean(),
});
const snapshotFrom = (least: number): fc.Arbitrary<Snapshot> =>
  fc.record({
    metadata: fc.record({ index: number.map((n) => n + least), term: number, confState }),
    data: bytes,
    unknown,
  });
const change = { type: fc.constantFrom(...confChangeTypes), nodeId: number };
const confChange: fc.Arbitrary<ConfChange> = fc.record({
  id: number,
  ...change,
  context: bytes,
  unknown,
});
const confChangeV2: fc.Arbitrary<ConfChangeV2> = fc.record({
  transition: fc.constantFrom(...confChangeTransitions),
  changes: fc.array(fc.record(change), { maxLength: 4 }),
  context: bytes,
  unknown,
});
const types = wireMessageTypes.filter((type): type is MessageType => type !== undefined);
const message: fc.Arbitrary<Message> = fc
  .record({
    type: fc.constantFrom(...types),
    to: number,
    from: number,
    term: number,
    logTerm: number,
    index: number,
    entries: fc.array(entry, { maxLength: 3 }),
    commit: number,
    commitTerm: number,
    snapshot: fc.option(snapshotFrom(1).filter(safe), { nil: undefined }),
    reject: fc.boolean(),
    rejectHint: number,
    context: bytes,
    requestSnapshot: number,
    priority: fc.maxSafeInteger(),
  })
  .map((fields) => ({
    ...fields,
    requestSnapshot: fields.type === "MsgAppResp" ? fields.requestSnapshot : 0,
  }));

function safe(snapshot: Snapshot): boolean {
  return Number.isSafeInteger(snapshot.metadata.index);
}

describe.each<Zeros>(["omitted", "written"])("with zeros %s, what is written is read", (zeros) => {
  const route = <T>(
    record: fc.Arbitrary<T>,
    encode: (record: T, zeros: Zeros) => Uint8Array,
    decode: (bytes: Uint8Array) => T,
  ): void =>
    fc.assert(
      fc.property(record, (value) => {
        expect(decode(encode(value, zeros))).toEqual(value);
      }),
      { numRuns: 300 },
    );

  test("Message", () => route(message, encodeMessage, decodeMessage));
  test("Entry", () => route(entry, encodeEntry, decodeEntry));
  test("HardState", () => route(hardState, encodeHardState, decodeHardState));
  test("ConfState", () => route(confState, encodeConfState, decodeConfState));
  test("Snapshot", () => route(snapshotFrom(0), encodeSnapshot, decodeSnapshot));
  test("ConfChange", () => route(confChange, encodeConfChange, decodeConfChange));
  test("ConfChangeV2", () => route(confChangeV2, encodeConfChangeV2, decodeConfChangeV2));
});

test("a batch is its messages", () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 4 }), (batch) => {
      expect(decodeMessages(encodeMessages(batch))).toEqual(batch);
    }),
    { numRuns: 200 },
  );
});

const decoders: [string, (bytes: Uint8Array) => unknown][] = [
  ["Message", decodeMessage],
  ["batch", decodeMessages],
  ["Entry", decodeEntry],
  ["HardState", decodeHardState],
  ["ConfState", decodeConfState],
  ["Snapshot", decodeSnapshot],
  ["ConfChange", decodeConfChange],
  ["ConfChangeV2", decodeConfChangeV2],
];

describe.each(decoders)("%s from arbitrary bytes", (_, decode) => {
  const reads = (input: Uint8Array): boolean => {
    try {
      decode(input);
      return true;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return false;
    }
  };

  test("throws only DecodeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (input) => void reads(input)),
      {
        numRuns: 2000,
      },
    );
  });

  test("throws only DecodeError where a byte of a good message is changed or cut", () => {
    const damage = fc.record({ at: fc.nat(), byte: fc.nat(255), keep: fc.nat() });
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 2 }),
        damage,
        (batch, { at, byte, keep }) => {
          const good = encodeMessages(batch);
          good[at % good.length] = byte;
          reads(good);
          reads(good.subarray(0, keep % good.length));
          reads(good.subarray(1));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("configuration changes as the core reads and writes them, which cannot use the codec", () => {
  test("the core reads what the codec wrote", () => {
    fc.assert(
      fc.property(confChange, (change) => {
        const read = inCore.decodeConfChange({
          type: "EntryConfChange",
          data: encodeConfChange(change),
        });
        const { type, nodeId, context } = change;
        expect(read).toMatchObject({ transition: "auto", changes: [{ type, nodeId }], context });
      }),
    );
    fc.assert(
      fc.property(confChangeV2, fc.constantFrom<Zeros>("omitted", "written"), (change, zeros) => {
        const data = encodeConfChangeV2(change, zeros);
        expect(inCore.decodeConfChange({ type: "EntryConfChangeV2", data })).toEqual(change);
      }),
    );
  });

  test("the codec reads what the core wrote", () => {
    fc.assert(
      fc.property(confChange, (change) => {
        const { type, data } = inCore.encodeConfChange(change);
        expect(type).toBe("EntryConfChange");
        expect(decodeConfChange(data)).toEqual(change);
      }),
    );
    fc.assert(
      fc.property(confChangeV2, (change) => {
        const { type, data } = inCore.encodeConfChange(change);
        expect(type).toBe("EntryConfChangeV2");
        expect(decodeConfChangeV2(data)).toEqual(change);
      }),
    );
  });

  test("of arbitrary bytes both make the same, or both nothing", () => {
    const outcome = (read: () => unknown): unknown => {
      try {
        return read();
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        return "refused";
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (data) => {
        const type = "EntryConfChangeV2";
        expect(outcome(() => inCore.decodeConfChange({ type, data }))).toEqual(
          outcome(() => decodeConfChangeV2(data)),
        );
      }),
      { numRuns: 3000 },
    );
  });
});
