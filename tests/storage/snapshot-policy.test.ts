import { describe, expect, test } from "vitest";
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
  logBytes: 900,
};

describe("the snapshot policy", () => {
  const due: [name: string, log: Partial<LogInMemory>, due: ReturnType<typeof snapshotDue>][] = [
    ["few entries and few bytes", {}, undefined],
    ["many entries", { applied: 200 }, "entries"],
    ["many bytes", { bytesSinceSnapshot: 1_000 }, "bytes"],
    ["a log in memory that is full", { logBytes: 4_000 }, "memory"],
    [
      "nothing applied since",
      { applied: 100, bytesSinceSnapshot: 9_999, logBytes: 9_999 },
      undefined,
    ],
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
    const confState = {
      voters: [],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    const list = [9, 7, 3].map((index) => ({ index, term: 1, confState }));
    expect(snapshotsToDrop(list, policy).map(({ index }) => index)).toEqual([3]);
    expect(snapshotsToDrop(list, { ...policy, retained: 0 }).map(({ index }) => index)).toEqual([
      7, 3,
    ]);
  });
});
