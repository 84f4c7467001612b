import { describe, expect, it } from "vitest";
import { bytes, Cluster, confStateOf } from "./cluster.js";
import { entriesOf, Solo, snapshotOf, typesOf } from "./solo.js";

/** A leader whose log starts after a compaction at 5, all of it committed; 2 and 3 follow. */
function compacted(start: ConstructorParameters<typeof Solo>[0] = {}): Solo {
  return new Solo({
    compacted: { index: 5, term: 1 },
    snapshot: () => snapshotOf(5, 1),
    ...start,
  }).lead();
}

/** 2 has answered, and refused everything from `index` on. */
function refuse(solo: Solo, index = 5): ReturnType<Solo["tell"]> {
  return solo.tell("MsgAppResp", 2, { reject: true, index, rejectHint: 0 });
}

describe("a leader sends a snapshot", () => {
  it("to a follower whose next entries are compacted, and then waits", () => {
    const solo = compacted();
    expect(refuse(solo)).toMatchObject([
      { type: "MsgSnap", to: 2, snapshot: { metadata: { index: 5 } } },
    ]);
    expect(solo.peer(2)).toMatchObject({
      state: "snapshot",
      pendingSnapshot: 5,
      next: 6,
      isPaused: true,
    });
    expect(solo.propose("a").filter(({ to }) => to === 2)).toEqual([]);
    expect(solo.tell("MsgHeartbeatResp", 2)).toEqual([]);
  });

  it("only to who has been heard from", () => {
    let available = false;
    const solo = compacted({ snapshot: () => (available ? snapshotOf(5, 1) : undefined) });
    refuse(solo);
    solo.node.setCheckQuorum(true);
    solo.tell("MsgHeartbeatResp", 3);
    solo.tick(10);
    expect(solo.peer(2)).toMatchObject({ recentActive: false, isPaused: false });
    available = true;
    expect(typesOf(solo.propose("a"))).not.toContain("MsgSnap>2");
    expect(typesOf(solo.tell("MsgHeartbeatResp", 2))).toEqual(["MsgSnap>2"]);
  });

  it("later, when there is none now", () => {
    let available = false;
    const asked: number[][] = [];
    const solo = compacted({
      snapshot: (to, atLeast) => {
        asked.push([to, atLeast]);
        return available ? snapshotOf(6, 1) : undefined;
      },
    });
    expect(refuse(solo)).toEqual([]);
    expect(solo.peer(2)).toMatchObject({ state: "probe" });
    available = true;
    expect(typesOf(solo.tell("MsgHeartbeatResp", 2))).toEqual(["MsgSnap>2"]);
    expect(asked).toEqual([
      [2, 5],
      [2, 5],
    ]);
  });

  it.each([
    { outcome: "arrived", next: 6 },
    { outcome: "failed", next: 1 },
  ] as const)(
    "and when it has $outcome goes on at $next, after the next word of the follower",
    ({ outcome, next }) => {
      const solo = compacted();
      refuse(solo);
      solo.node.reportSnapshot(2, outcome);
      expect(solo.peer(2)).toMatchObject({
        state: "probe",
        next,
        isPaused: true,
        pendingSnapshot: 0,
      });
      expect(solo.drain()).toEqual([]);
      expect(typesOf(solo.tell("MsgHeartbeatResp", 2))).toEqual([
        outcome === "arrived" ? "MsgApp>2" : "MsgSnap>2",
      ]);
    },
  );

  it("and goes on as soon as its log takes it from where the follower is, whichever snapshot brought it there", () => {
    const solo = compacted({ snapshot: () => snapshotOf(6, 1) });
    refuse(solo);
    const sent = solo.ack(2, 5);
    expect(solo.peer(2)).toMatchObject({ state: "replicate", match: 5 });
    expect(typesOf(sent)).toContain("MsgApp>2");
  });

  it("and is not disturbed by reports about who waits for none", () => {
    const solo = compacted();
    solo.ack(2);
    solo.node.reportSnapshot(2, "failed");
    solo.node.reportSnapshot(9, "failed");
    expect(solo.peer(2).state).toBe("replicate");
  });
});

describe("a follower given a snapshot", () => {
  it("replaces log and configuration, and acknowledges when it is durable", () => {
    const solo = new Solo({ log: [1, 1] });
    solo.step("MsgSnap", 2, {
      term: 3,
      snapshot: snapshotOf(9, 2, { voters: [1, 2], learners: [4] }),
    });
    const ready = solo.node.ready();
    expect(ready.messages).toEqual([]);
    expect(ready.committedEntries).toEqual([]);
    expect(ready.write).toMatchObject({
      snapshot: { metadata: { index: 9 } },
      entries: [],
      sync: true,
    });
    expect(solo.status).toMatchObject({ commit: 9, applied: 0, firstIndex: 10, lastIndex: 9 });
    expect(solo.status.confState).toEqual(confStateOf([1, 2], [4]));
    const owed = solo.node.persisted(ready.write as NonNullable<typeof ready.write>);
    expect(owed).toMatchObject([{ type: "MsgAppResp", to: 2, index: 9, reject: false }]);
    expect(solo.status.applied).toBe(9);
  });

  it("restores a joint configuration whole", () => {
    const solo = new Solo();
    const joint = {
      voters: [1, 4],
      votersOutgoing: [1, 2, 3],
      learners: [5],
      learnersNext: [2],
      autoLeave: true,
    };
    solo.tell("MsgSnap", 2, { term: 3, snapshot: snapshotOf(9, 2, joint) });
    expect(solo.status.confState).toEqual({ ...confStateOf([]), ...joint });
  });

  it.each([
    { name: "at its commit index", index: 3, commit: 3 },
    { name: "before its commit index", index: 2, commit: 3 },
  ])("ignores one $name, and says how far it is", ({ index, commit }) => {
    const solo = new Solo({ log: [1, 1, 1, 1], hardState: { commit } });
    const answer = solo.tell("MsgSnap", 2, { term: 1, snapshot: snapshotOf(index, 1) });
    expect(answer).toMatchObject([{ type: "MsgAppResp", index: commit, reject: false }]);
    expect(solo.status).toMatchObject({ lastIndex: 4, firstIndex: 1 });
  });

  it("ignores one in whose configuration it has no part", () => {
    const solo = new Solo();
    const answer = solo.tell("MsgSnap", 2, {
      term: 1,
      snapshot: snapshotOf(9, 1, { voters: [2, 3] }),
    });
    expect(answer).toMatchObject([{ type: "MsgAppResp", index: 0 }]);
    expect(solo.status.lastIndex).toBe(0);
  });

  it.each([
    { name: "voter", conf: { voters: [1, 2] } },
    { name: "learner", conf: { voters: [2], learners: [1] } },
    { name: "voter of the outgoing half", conf: { voters: [2], votersOutgoing: [1, 2] } },
  ])("takes one in whose configuration it is a $name", ({ conf }) => {
    const solo = new Solo();
    solo.tell("MsgSnap", 2, { term: 1, snapshot: snapshotOf(9, 1, conf) });
    expect(solo.status.lastIndex).toBe(9);
  });

  it("that its log matches already only moves its commit index", () => {
    const solo = new Solo({ log: [1, 1, 2, 2] });
    const answer = solo.tell("MsgSnap", 2, { term: 2, snapshot: snapshotOf(3, 2) });
    expect(answer).toMatchObject([{ type: "MsgAppResp", index: 3 }]);
    expect(solo.status).toMatchObject({ commit: 3, lastIndex: 4, firstIndex: 1 });
  });

  it("takes entries that follow it, also before it is durable, but applies none", () => {
    const solo = new Solo();
    solo.step("MsgSnap", 2, { term: 2, snapshot: snapshotOf(9, 2) });
    solo.step("MsgApp", 2, {
      term: 2,
      index: 9,
      logTerm: 2,
      entries: entriesOf([2], 10),
      commit: 10,
    });
    const ready = solo.node.ready();
    expect(ready.write).toMatchObject({
      snapshot: { metadata: { index: 9 } },
      entries: [{ index: 10 }],
    });
    expect(ready.committedEntries).toEqual([]);
    solo.node.persisted(ready.write as NonNullable<typeof ready.write>);
    expect(solo.node.ready().committedEntries).toMatchObject([{ index: 10 }]);
  });

  it("given a second before the first is durable, ends with the second", () => {
    const solo = new Solo();
    solo.step("MsgSnap", 2, { term: 2, snapshot: snapshotOf(9, 2) });
    const first = solo.node.ready();
    solo.step("MsgSnap", 2, { term: 2, snapshot: snapshotOf(12, 2) });
    const second = solo.node.ready();
    solo.node.persisted(first.write as NonNullable<typeof first.write>);
    expect(solo.node.campaign()).toEqual({ accepted: false, reason: "notPromotable" });
    solo.node.persisted(second.write as NonNullable<typeof second.write>);
    expect(solo.status).toMatchObject({ applied: 12, lastIndex: 12 });
  });
});

describe("compaction", () => {
  it("keeps the term before the first entry, so that appends right after it match", () => {
    const solo = new Solo({ log: [1, 1, 2], hardState: { commit: 3 } });
    solo.drain();
    solo.node.compacted(3);
    expect(solo.status).toMatchObject({ firstIndex: 4, lastIndex: 3 });
    expect(solo.node.termAt(3)).toBe(2);
    expect(solo.node.termAt(2)).toBeUndefined();
    expect(
      solo.tell("MsgApp", 2, { term: 3, index: 3, logTerm: 2, entries: entriesOf([3], 4) }),
    ).toMatchObject([{ reject: false, index: 4 }]);
  });

  it("beyond what was handed out to be applied is a fault of the caller", () => {
    const solo = new Solo({ log: [1, 1, 2], hardState: { commit: 2 } });
    solo.drain();
    expect(() => solo.node.compacted(3)).toThrow(/compaction/);
  });

  it("frees the memory it accounted for", () => {
    const solo = new Solo({ conf: { voters: [1] } }).lead([]);
    const { logBytes } = solo.status;
    solo.propose("a", "b", "c");
    solo.node.compacted(4);
    expect(solo.status.logBytes).toBeLessThan(logBytes + 1);
    expect(solo.node.entries(5, 5)).toEqual([]);
  });
});

describe("a restart", () => {
  it("goes on from hard state, log and snapshot, and hands nothing out twice", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    for (const command of ["a", "b"]) cluster.propose(1, command);
    cluster.restart(2);
    cluster.tick(3);
    cluster.propose(1, "c");
    expect(cluster.peer(2).commands).toEqual(["a", "b", "c"]);
  });

  it("with a commit index that was not written takes what was applied for committed", () => {
    const solo = new Solo({
      compacted: { index: 5, term: 1 },
      applied: 5,
      hardState: { commit: 2 },
    });
    expect(solo.status).toMatchObject({ commit: 5, applied: 5 });
  });

  it.each([
    { name: "commits beyond the log", start: { log: [1], hardState: { commit: 2 } } },
    { name: "applied beyond the log", start: { log: [1], applied: 2 } },
    {
      name: "has a configuration that cannot be",
      start: { conf: { voters: [1], learners: [1], votersOutgoing: [1] } },
    },
  ])("from a state that $name is refused", ({ start }) => {
    expect(() => new Solo(start)).toThrow();
  });

  it("from a snapshot alone knows the commands it holds", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    for (const command of ["a", "b"]) cluster.propose(1, command);
    const { disk, node } = cluster.peer(3);
    disk.compact(disk.applied);
    node.compacted(disk.applied);
    cluster.restart(3);
    cluster.tick(2);
    cluster.propose(1, "c");
    expect(cluster.peer(3).commands).toEqual(["a", "b", "c"]);
    expect(bytes("c")).toHaveLength(1);
  });
});
