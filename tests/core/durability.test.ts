import { describe, expect, it } from "vitest";
import type { MessageType, NodeId, Ready, Write } from "../../lib/core/types.js";
import { bytes, Cluster } from "./cluster.js";
import { entriesOf, Solo, snapshotOf } from "./solo.js";

function written(ready: Ready): Write {
  if (ready.write === undefined) throw new Error("nothing to write");
  return ready.write;
}

describe("what is not durable is not said", () => {
  it.each<{ promise: MessageType; reach: (solo: Solo) => void }>([
    { promise: "MsgVoteResp", reach: (s) => s.step("MsgVote", 2, { term: 1 }) },
    { promise: "MsgPreVoteResp", reach: (s) => s.step("MsgPreVote", 2, { term: 1 }) },
    {
      promise: "MsgAppResp",
      reach: (s) => s.step("MsgApp", 2, { term: 1, entries: entriesOf([1]) }),
    },
    {
      promise: "MsgAppResp",
      reach: (s) => s.step("MsgSnap", 2, { term: 1, snapshot: snapshotOf(5, 1) }),
    },
    { promise: "MsgVote", reach: (s) => s.node.campaign() },
  ])("$promise waits for the write of what it speaks of", ({ promise, reach }) => {
    const solo = new Solo();
    reach(solo);
    const ready = solo.node.ready();
    expect(ready.messages).toEqual([]);
    const owed = solo.node.persisted(written(ready));
    expect(new Set(owed.map(({ type }) => type))).toEqual(new Set([promise]));
  });

  it.each<{ said: MessageType; reach: (solo: Solo) => void }>([
    { said: "MsgPreVote", reach: (s) => s.node.campaign() },
    { said: "MsgHeartbeatResp", reach: (s) => s.step("MsgHeartbeat", 2, { term: 1 }) },
    {
      said: "MsgApp",
      reach: (s) => {
        s.lead();
        s.node.propose(bytes("a"));
      },
    },
  ])("$said binds nobody, and leaves at once", ({ said, reach }) => {
    const solo = new Solo({ preVote: said === "MsgPreVote", log: [1] });
    reach(solo);
    if (said === "MsgApp") solo.node.reportUnreachable(2);
    const types = solo.node.ready().messages.map(({ type }) => type);
    if (said === "MsgApp") expect(types).toEqual([]);
    else expect(types).toContain(said);
  });

  it("an append leaves before the leader's own disk has answered, and does not count until it has", () => {
    const solo = new Solo().lead();
    solo.ack(2);
    solo.ack(3);
    solo.node.propose(bytes("a"));
    const ready = solo.node.ready();
    expect(ready.messages.map(({ type }) => type)).toEqual(["MsgApp", "MsgApp"]);
    solo.step("MsgAppResp", 2, { index: 2 });
    expect(solo.status.commit).toBe(1);
    solo.node.persisted(written(ready));
    expect(solo.status.commit).toBe(2);
  });
});

describe("a node asks for votes only once its term is durable (core-face §2)", () => {
  it("atOnce, as etcd's asynchronous form does: one id leads a term twice, and entries of equal term and index differ", () => {
    const cluster = new Cluster(5, { voteRequests: "atOnce", preVote: false, reportCommit: false });
    const first = cluster.peer(1);
    first.slowDisk = true;
    // Of the entries of the first life, only 2 hears.
    cluster.lose = ({ type, to }) => type === "MsgApp" && to !== 2;
    first.node.campaign();
    cluster.settle();
    expect(first.node.basicStatus()).toMatchObject({ role: "leader", term: 1 });
    first.node.propose(bytes("x"));
    cluster.settle();
    // It crashes with nothing on its disk.
    first.pending = [];
    cluster.restart(1);
    expect(cluster.node(1).basicStatus().term).toBe(0);
    cluster.heal();
    cluster.node(1).campaign();
    cluster.settle();
    expect(cluster.node(1).basicStatus()).toMatchObject({ role: "leader", term: 1 });
    cluster.propose(1, "y");
    const commands = (id: NodeId) => cluster.peer(id).commands;
    expect([commands(2), commands(3)]).toEqual([["x"], ["y"]]);
  });

  it("afterPersist, as here, nobody is asked before the disk has answered, so the first life leads nothing", () => {
    const cluster = new Cluster(5, { preVote: false });
    const first = cluster.peer(1);
    first.slowDisk = true;
    first.node.campaign();
    cluster.settle();
    expect(cluster.sent).toEqual([]);
    expect(first.node.basicStatus().role).toBe("candidate");
    first.pending = [];
    cluster.restart(1);
    cluster.node(1).campaign();
    cluster.settle();
    expect(cluster.node(1).basicStatus()).toMatchObject({ role: "leader", term: 1 });
    cluster.propose(1, "y");
    for (const { disk } of cluster.peers.values())
      expect(disk.entries.map(({ term }) => term)).toEqual([1, 1]);
  });
});

describe("writes", () => {
  it("may be outstanding in any number, and are durable in order", () => {
    const solo = new Solo().lead();
    const writes = ["a", "b", "c"].map((command) => {
      solo.node.propose(bytes(command));
      return written(solo.node.ready());
    });
    expect(writes.map(({ id }) => id)).toEqual([0, 1, 2].map((at) => (writes[0]?.id ?? 0) + at));
    expect(writes.map(({ entries }) => entries.map(({ index }) => index))).toEqual([[2], [3], [4]]);
    solo.step("MsgAppResp", 2, { index: 4 });
    // The later one says that the earlier are durable too.
    solo.node.persisted(writes[1] as Write);
    expect(solo.status).toMatchObject({ commit: 3, unstableCount: 1 });
    expect(() => solo.node.persisted(writes[0] as Write)).toThrow(/not outstanding/);
    solo.node.persisted(writes[2] as Write);
    expect(solo.status.commit).toBe(4);
    expect(() => solo.node.persisted({ ...(writes[2] as Write), id: 99 })).toThrow(
      /not outstanding/,
    );
  });

  it.each([
    {
      name: "a vote",
      sync: true,
      reach: (s: Solo) => s.step("MsgVote", 2, { term: 5, index: 9, logTerm: 4 }),
    },
    {
      name: "entries",
      sync: true,
      reach: (s: Solo) =>
        s.step("MsgApp", 2, { term: 1, index: 1, logTerm: 1, entries: entriesOf([1], 2) }),
    },
    {
      name: "a snapshot",
      sync: true,
      reach: (s: Solo) => s.step("MsgSnap", 2, { term: 1, snapshot: snapshotOf(5, 1) }),
    },
    {
      name: "a commit index",
      sync: false,
      reach: (s: Solo) => s.step("MsgHeartbeat", 2, { commit: 1 }),
    },
    {
      name: "an answer to what is durable already",
      sync: false,
      reach: (s: Solo) => s.step("MsgApp", 2, { term: 1, index: 1, logTerm: 1 }),
    },
  ])("need a flush for $name: $sync", ({ reach, sync }) => {
    const solo = new Solo({ log: [1] });
    reach(solo);
    expect(written(solo.node.ready()).sync).toBe(sync);
  });

  it("that hold nothing still exist where answers wait for those before them", () => {
    const solo = new Solo();
    solo.step("MsgApp", 2, { term: 1, entries: entriesOf([1]) });
    const first = written(solo.node.ready());
    solo.step("MsgApp", 2, { term: 1, entries: entriesOf([1]) });
    const second = written(solo.node.ready());
    expect(second).toMatchObject({ hardState: undefined, entries: [], sync: false });
    expect(solo.node.persisted(first)).toHaveLength(1);
    expect(solo.node.persisted(second)).toHaveLength(1);
  });

  it("are handed out by ready() alone, and accepted by it", () => {
    const solo = new Solo();
    expect(solo.node.hasReady()).toBe(false);
    expect(solo.node.ready()).toEqual({
      messages: [],
      write: undefined,
      committedEntries: [],
      readStates: [],
      droppedReads: [],
      softState: undefined,
    });
    solo.step("MsgApp", 2, { term: 1, entries: entriesOf([1]) });
    expect(solo.node.hasReady()).toBe(true);
    solo.node.ready();
    expect(solo.node.hasReady()).toBe(false);
  });
});

describe("entries replaced while they are written (A, B, A again)", () => {
  /** Entry 1 of term 1 is being written; a leader of term 2 replaces it; its write comes second. */
  function replaced(): { solo: Solo; first: Write; second: Write } {
    const solo = new Solo();
    solo.step("MsgApp", 2, { term: 1, entries: entriesOf([1, 1]) });
    const first = written(solo.node.ready());
    solo.step("MsgApp", 3, { term: 2, entries: entriesOf([2]) });
    const second = written(solo.node.ready());
    return { solo, first, second };
  }

  it("count as durable by the write of what replaced them, not by their own", () => {
    const { solo, first, second } = replaced();
    expect(second.entries).toMatchObject([{ term: 2, index: 1 }]);
    solo.node.persisted(first);
    expect(solo.status.unstableCount).toBe(1);
    solo.node.persisted(second);
    expect(solo.status.unstableCount).toBe(0);
  });

  it("do not count by an old write when a third leader brings the first ones back", () => {
    const { solo, first, second } = replaced();
    solo.step("MsgApp", 2, { term: 3, entries: entriesOf([1, 1]) });
    // On disk after `first` and `second`: the entry of term 2 alone.
    const third = written(solo.node.ready());
    solo.node.persisted(first);
    solo.node.persisted(second);
    expect(solo.status.unstableCount).toBe(2);
    solo.node.persisted(third);
    expect(solo.status.unstableCount).toBe(0);
  });

  it("do not count by a write of the new term that spoke of them before they were replaced", () => {
    const solo = new Solo();
    solo.step("MsgApp", 2, { term: 1, entries: entriesOf([1]) });
    const first = written(solo.node.ready());
    solo.step("MsgHeartbeat", 3, { term: 2 });
    // Told again with this one, that entry 1 of term 1 is in memory only.
    const second = written(solo.node.ready());
    solo.step("MsgApp", 3, { term: 2, entries: entriesOf([2]) });
    const third = written(solo.node.ready());
    solo.node.persisted(first);
    solo.node.persisted(second);
    expect(solo.status.unstableCount).toBe(1);
    expect(solo.logged.at(-1)).toMatch(/mismatched with entry at \(1,2\) in unstable log/);
    solo.node.persisted(third);
    expect(solo.status.unstableCount).toBe(0);
  });

  it("are written again from where they changed, even in the middle of what is being written", () => {
    const solo = new Solo();
    solo.step("MsgApp", 2, { term: 1, entries: entriesOf([1, 1, 1]) });
    const first = written(solo.node.ready());
    solo.step("MsgApp", 3, { term: 2, index: 1, logTerm: 1, entries: entriesOf([2, 2], 2) });
    const second = written(solo.node.ready());
    expect(second.entries.map(({ index, term }) => [index, term])).toEqual([
      [2, 2],
      [3, 2],
    ]);
    solo.node.persisted(first);
    solo.node.persisted(second);
    expect(solo.status.unstableCount).toBe(0);
    expect(solo.logged).toContain("truncate the unstable entries before index 2");
  });

  it("become durable after a change of term without further entries", () => {
    const solo = new Solo();
    solo.step("MsgApp", 2, { term: 1, entries: entriesOf([1]) });
    const first = written(solo.node.ready());
    solo.step("MsgHeartbeat", 3, { term: 2 });
    const second = written(solo.node.ready());
    solo.node.persisted(first);
    expect(solo.status.unstableCount).toBe(1);
    solo.node.persisted(second);
    expect(solo.status.unstableCount).toBe(0);
  });
});

describe("applying", () => {
  const received = (start = {}): Solo => {
    const solo = new Solo(start);
    solo.step("MsgApp", 2, { term: 1, entries: entriesOf([1, 1, 1]), commit: 3 });
    return solo;
  };

  it("waits for our own disk, although a quorum holds the entries", () => {
    const solo = received();
    const ready = solo.node.ready();
    expect(ready.committedEntries).toEqual([]);
    solo.node.persisted(written(ready));
    expect(solo.node.ready().committedEntries).toHaveLength(3);
  });

  it.each([
    { ahead: { entries: Number.POSITIVE_INFINITY, roles: "all" }, expected: 3 },
    { ahead: { entries: 2, roles: "all" }, expected: 2 },
    { ahead: { entries: 2, roles: "leader" }, expected: 0 },
  ] as const)(
    "may run ahead of it by $ahead.entries ($ahead.roles): $expected",
    ({ ahead, expected }) => {
      const solo = received({ applyUnpersisted: ahead });
      expect(solo.node.ready().committedEntries).toHaveLength(expected);
    },
  );

  it("ahead of the disk is a leader's alone where it is said so, and changes while running", () => {
    const solo = new Solo({ applyUnpersisted: { entries: 1, roles: "leader" } }).lead();
    solo.node.propose([bytes("a"), bytes("b")]);
    solo.node.ready();
    solo.step("MsgAppResp", 2, { index: 3 });
    solo.step("MsgAppResp", 3, { index: 3 });
    expect(solo.status.commit).toBe(3);
    expect(solo.node.ready().committedEntries).toHaveLength(2);
    solo.node.applied(2);
    solo.node.setApplyUnpersisted(5);
    expect(solo.node.ready().committedEntries).toHaveLength(1);
  });

  it("is reported in order, and nothing beyond what was handed out", () => {
    const solo = received({ applyUnpersisted: { entries: 9, roles: "all" } });
    solo.node.ready();
    expect(() => solo.node.applied(4)).toThrow(/beyond what was handed out/);
    solo.node.applied(3);
    solo.node.applied(1);
    expect(solo.status.applied).toBe(3);
  });
});
