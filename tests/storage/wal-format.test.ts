import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hex } from "../../lib/base/bytes.js";
import { decodeEntry, decodeHardState } from "../../lib/codec/raftpb-log.js";
import type { Entry } from "../../lib/core/types.js";
import {
  decodeSnapshotMark,
  parseSegmentFile,
  readSegment,
  recordData,
  segmentFile,
  type WalRecord,
} from "../../lib/storage/wal.js";
import { WalWriter } from "../../lib/storage/wal-writer.js";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const none = { index: 0, term: 0, confState: undefined };
const hi: Entry = { term: 2, index: 5, type: "EntryNormal", data: text("hi"), unknown: undefined };
const state = { term: 2, vote: 1, commit: 4 };

function bytesOf(golden: string): Uint8Array {
  const digits = golden.replaceAll(/\s/g, "");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Written by etcd, or derived with an encoder that was checked against etcd's files. */
const goldens: [name: string, bytes: string, write: (writer: WalWriter) => void, before: number][] =
  [
    [
      "a fresh log of etcd, metadata somedata",
      `0400000000000084 0804100000000000 1200000000000086 08011085d4fda007 1a08736f6d656461
     7461000000000000 0e00000000000082 08051080db81c101 1a04080010000000`,
      (writer) => {
        writer.crcHandOver();
        writer.metadata(text("somedata"));
        writer.snapshot(none);
      },
      0,
    ],
    [
      "a first segment with an entry and a HardState",
      `04000000000000840804100000000000 0e0000000000008208011095a19cd8011a046d6574610000
     0e00000000000082080510f2c4f7fa011a04080010000000
     1400000000000084080210c49cd8e2091a0a0800100218052202686900000000
     1000000000000000080310f3aff1e0051a06080210011804`,
      (writer) => {
        writer.crcHandOver();
        writer.metadata(text("meta"));
        writer.snapshot(none);
        writer.entry(hi);
        writer.state(state);
      },
      0,
    ],
    [
      "the segment after it",
      `0800000000000000080410f3aff1e005 0e000000000000820801109eeaa1eb081a046d6574610000
     1000000000000000080310e3f4caf50d1a06080210011804`,
      (writer) => {
        writer.crcHandOver();
        writer.metadata(text("meta"));
        writer.state(state);
      },
      0x5c1c57f3,
    ],
  ];

function read(bytes: Uint8Array, options = { last: true, crc: 0 }) {
  const records: (WalRecord & { data: string; offset: number })[] = [];
  const ending = readSegment(bytes, options, (record, offset) => {
    records.push({ ...record, data: hex(recordData(bytes, record)), offset });
  });
  return { records, ending };
}

describe("the format of the log file", () => {
  test.each(goldens)("written as etcd does: %s", (_name, golden, write, before) => {
    const writer = new WalWriter(before);
    write(writer);
    expect(hex(writer.take())).toBe(hex(bytesOf(golden)));
  });

  test.each(goldens)("and so behind longer records: %s", (_name, golden, write, before) => {
    const writer = new WalWriter(0);
    writer.metadata(new Uint8Array(500).fill(0xff));
    writer.take();
    writer.crc = before;
    write(writer);
    expect(hex(writer.take())).toBe(hex(bytesOf(golden)));
  });

  test.each(goldens)("read as etcd does: %s", (_name, golden, write, before) => {
    const bytes = bytesOf(golden);
    for (const start of [0, before]) {
      const { ending } = read(bytes, { last: false, crc: start });
      expect(ending).toMatchObject({ kind: "end", offset: bytes.length });
    }
    const writer = new WalWriter(before);
    write(writer);
    expect(read(bytes).ending.crc).toBe(writer.crc);
  });

  test("the golden records hold what was put in", () => {
    const bytes = bytesOf(goldens[1]?.[1] ?? "");
    const { records } = read(bytes);
    expect(records.map(({ type }) => type)).toEqual([4, 1, 5, 2, 3]);
    const dataOf = (n: number) => recordData(bytes, records[n] as WalRecord);
    expect(dataOf(1)).toEqual(text("meta"));
    expect(decodeSnapshotMark(dataOf(2))).toEqual(none);
    expect(decodeEntry(dataOf(3))).toEqual(hi);
    expect(decodeHardState(dataOf(4))).toEqual(state);
  });

  test("walpb.Snapshot with a configuration", () => {
    const writer = new WalWriter(0);
    const confState = {
      voters: [1, 2, 3],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    writer.snapshot({ index: 7, term: 2, confState });
    const bytes = writer.take();
    const [record] = read(bytes).records;
    expect(record?.data).toBe("080710021a080801080208032800");
    expect(decodeSnapshotMark(recordData(bytes, record as WalRecord))).toEqual({
      index: 7,
      term: 2,
      confState,
    });
  });

  test("any records come back, whatever their sizes", () => {
    const entries = fc.array(
      fc.record({
        term: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
        index: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
        type: fc.constantFrom("EntryNormal", "EntryConfChange", "EntryConfChangeV2"),
        data: fc.uint8Array({ maxLength: 700 }),
        unknown: fc.constant(undefined),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(entries, fc.nat(0xffffffff), (given: Entry[], crc) => {
        const writer = new WalWriter(crc);
        writer.crcHandOver();
        for (const entry of given) writer.entry(entry);
        const bytes = writer.take().slice();
        expect(bytes.length % 8).toBe(0);
        const found: Entry[] = [];
        const ending = readSegment(bytes, { last: true, crc }, (record) => {
          if (record.type === 2) found.push(decodeEntry(recordData(bytes, record)));
        });
        expect(ending).toEqual({ kind: "end", offset: bytes.length, crc: writer.crc });
        expect(found).toEqual(given);
      }),
    );
  });

  const frame = (): Uint8Array => {
    const writer = new WalWriter(0);
    writer.entry(hi);
    writer.entry({ ...hi, index: 6, data: new Uint8Array(3000).fill(7) });
    return writer.take().slice();
  };
  const second = 32;

  const endings: [
    name: string,
    change: (bytes: Uint8Array) => Uint8Array,
    kind: string,
    offset: number,
  ][] = [
    ["whole", (b) => b, "end", 3064],
    [
      "zeros after the last frame",
      (b) => Uint8Array.from([...b, ...new Uint8Array(100)]),
      "end",
      3064,
    ],
    [
      "garbage behind a length of zero",
      (b) => Uint8Array.from([...b, ...new Uint8Array(8), 9]),
      "end",
      3064,
    ],
    ["cut within the length word", (b) => b.subarray(0, second + 3), "torn", second],
    ["cut within the body", (b) => b.subarray(0, second + 100), "torn", second],
    ["a sector of the body never written", (b) => b.fill(0, 512, 1024), "torn", second],
    ["all but the length word never written", (b) => b.fill(0, second + 8), "torn", second],
    ["a length beyond the file", (b) => b.fill(0xff, second + 2, second + 3), "torn", second],
    ["a byte of the data changed", (b) => b.fill(8, 600, 601), "damaged", second],
    [
      "a byte of the checksum changed",
      (b) => b.fill(1, second + 12, second + 13),
      "damaged",
      second,
    ],
    [
      "a record type that does not exist",
      (b) => b.fill(9, second + 9, second + 10),
      "damaged",
      second,
    ],
    ["the first frame changed", (b) => b.fill(1, 24, 25), "damaged", 0],
  ];
  test.each(endings)("the last segment, %s", (_name, change, kind, offset) => {
    const bytes = change(frame());
    expect(read(bytes).ending).toMatchObject({ kind, offset });
  });

  test.each(endings)("an earlier segment cannot be torn: %s", (_name, change, kind, offset) => {
    const { ending } = read(change(frame()), { last: false, crc: 0 });
    expect(ending).toMatchObject({ kind: kind === "torn" ? "damaged" : kind, offset });
  });

  test("the checksum handed over must be the previous segment's", () => {
    const bytes = bytesOf(goldens[2]?.[1] ?? "");
    expect(read(bytes, { last: true, crc: 0x5c1c57f3 }).ending.kind).toBe("end");
    expect(read(bytes, { last: true, crc: 0x5c1c57f4 }).ending).toMatchObject({
      kind: "damaged",
      offset: 0,
    });
  });

  test("names of segments", () => {
    expect(segmentFile({ sequence: 1, index: 42 })).toBe("0000000000000001-000000000000002a.wal");
    expect(parseSegmentFile("0000000000000001-000000000000002a.wal")).toEqual({
      sequence: 1,
      index: 42,
    });
    for (const other of [
      "0.tmp",
      "1-2.wal",
      "0000000000000001-000000000000002a.wal.broken",
      "ffffffffffffffff-0000000000000000.wal",
      "000000000000000g-0000000000000000.wal",
    ]) {
      expect(parseSegmentFile(other)).toBeUndefined();
    }
  });
});
