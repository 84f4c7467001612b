import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError } from "../../lib/base/errors.js";
import type { Zeros } from "../../lib/base/protobuf.js";
import {
  decodeMessage,
  decodeMessages,
  encodeMessage,
  encodeMessages,
} from "../../lib/codec/raftpb.js";
import { entryTypes, wireMessageTypes } from "../../lib/codec/raftpb-fields.js";
import {
  decodeConfState,
  decodeEntry,
  decodeHardState,
  decodeSnapshot,
  encodeConfState,
  encodeEntry,
  encodeHardState,
  encodeSnapshot,
} from "../../lib/codec/raftpb-log.js";
import {
  decodeConfChangeV1,
  decodeConfChangeV2,
  encodeConfChangeV1,
  encodeConfChangeV2,
} from "../../lib/core/confchange-codec.js";
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

const confChangeTypes = [
  "ConfChangeAddNode",
  "ConfChangeRemoveNode",
  "ConfChangeUpdateNode",
  "ConfChangeAddLearnerNode",
] as const;

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
  transition: fc.constantFrom("auto", "jointImplicit", "jointExplicit"),
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
  test("ConfChange", () => route(confChange, encodeConfChangeV1, decodeConfChangeV1));
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
  ["ConfChange", decodeConfChangeV1],
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
