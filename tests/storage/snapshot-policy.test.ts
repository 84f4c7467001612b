import { describe, expect, test } from "vitest";
import { emptyEntry } from "../../lib/core/entries.js";
import { emptyConfState } from "../../lib/core/types.js";
import { AppliedBytes } from "../../lib/storage/applied-bytes.js";
import {
  compactionPoint,
  defaultSnapshotPolicy,
  type LogInMemory,
  snapshotDue,
  snapshotsToDrop,
} from "../../lib/storage/snapshot-policy.js";

const policy = {
  ...defaultSnapshotPolicy,
  entries: 100,
  bytes: 1_000,
  trailingEntries: 20,
  trailingBytes: 500,
  logBytesMax: 4_000,
};
const log: LogInMemory = {
  applied: 150,
  snapshotIndex: 100,
  bytesSinceSnapshot: 500,
  appliedBytes: 700,
  logBytes: 900,
};

describe("the snapshot policy", () => {
  const due: [name: string, log: Partial<LogInMemory>, due: ReturnType<typeof snapshotDue>][] = [
    ["few entries and few bytes", {}, undefined],
    ["many entries", { applied: 200 }, "entries"],
    ["many bytes", { bytesSinceSnapshot: 1_000 }, "bytes"],
    ["a log in memory that is full", { logBytes: 4_000, appliedBytes: 1 }, "memory"],
    ["one that fills, much of it applied", { logBytes: 3_000, appliedBytes: 1_000 }, "memory"],
    ["one that fills, little of it applied", { logBytes: 3_999, appliedBytes: 999 }, undefined],
    ["one that is full of what is not applied", { logBytes: 9_999, appliedBytes: 0 }, undefined],
    ["nothing applied since", { applied: 100, bytesSinceSnapshot: 9_999 }, undefined],
    ["a full log, trailing entries alone", { applied: 100, logBytes: 4_000 }, "memory"],
  ];
  test.each(due)("due: %s", (_name, parts, expected) => {
    expect(snapshotDue({ ...log, ...parts }, policy)).toBe(expected);
  });

  const points: [
    name: string,
    snapshot: number,
    kept: number[],
    bytesEach: number,
    forced: boolean,
    upTo: number,
  ][] = [
    ["trailing entries stay", 200, [200], 10, false, 180],
    ["no more of them than the bytes allow", 200, [200], 100, false, 195],
    ["never past an older snapshot that is kept", 200, [200, 170], 10, false, 170],
    ["bytes before older snapshots: memory is bounded first", 200, [200, 100], 10, false, 150],
    ["a short log is kept whole", 10, [10], 10, false, 0],
    ["a forced one leaves nothing", 200, [200, 170], 10, true, 200],
  ];
  test.each(points)("compaction: %s", (_name, snapshot, kept, bytesEach, forced, upTo) => {
    const bytesAfter = (index: number): number => (snapshot - index) * bytesEach;
    const metadata = kept.map((index) => ({ index }));
    expect(compactionPoint({ index: snapshot }, metadata, bytesAfter, forced, policy)).toBe(upTo);
  });

  test("all but the newest retained ones are dropped, and never the newest", () => {
    const list = [9, 7, 3].map((index) => ({ index, term: 1, confState: emptyConfState }));
    expect(snapshotsToDrop(list, 0, policy).map(({ index }) => index)).toEqual([3]);
    expect(snapshotsToDrop(list, 0, { ...policy, retained: 0 }).map(({ index }) => index)).toEqual([
      7, 3,
    ]);
  });

  test("a snapshot that the log does not reach back to is of no use", () => {
    const list = [9, 7].map((index) => ({ index, term: 1, confState: emptyConfState }));
    expect(snapshotsToDrop(list, 7, policy)).toEqual([]);
    expect(snapshotsToDrop(list, 8, policy)).toEqual([list[1]]);
    expect(snapshotsToDrop(list, 99, policy)).toEqual([list[1]]);
  });

  test("by default the log reaches back to the snapshot before, and leaves room for what arrives meanwhile", () => {
    const { bytes, trailingBytes, logBytesMax } = defaultSnapshotPolicy;
    expect(trailingBytes).toBeGreaterThan(bytes);
    expect(bytes + trailingBytes).toBeLessThan((logBytesMax * 3) / 4);
  });
});

describe("bytes of applied entries", () => {
  const entry = (index: number, length: number) =>
    ({ ...emptyEntry, index, data: new Uint8Array(length) }) as const;

  test("are known exactly at marks, and up to a step too few between them", () => {
    const bytes = new AppliedBytes(10, 300);
    for (let index = 11; index <= 20; index++) bytes.add(entry(index, 72));
    expect([bytes.index, bytes.total, bytes.kept]).toEqual([20, 2_000, 2_000]);
    expect([10, 11, 12, 13, 20, 99].map((index) => bytes.totalAt(index))).toEqual([
      0, 0, 400, 400, 2_000, 2_000,
    ]);
  });

  test("are forgotten from the front", () => {
    const bytes = new AppliedBytes(0, 1);
    for (let index = 1; index <= 10; index++) bytes.add(entry(index, 72));
    bytes.forget(4);
    expect([bytes.total, bytes.kept]).toEqual([2_000, 1_200]);
    bytes.forget(10);
    expect(bytes.kept).toBe(0);
    bytes.add(entry(11, 72));
    expect([bytes.total - bytes.totalAt(10), bytes.kept]).toEqual([200, 200]);
  });
});
