import { describe, expect, it } from "vitest";
import type { Term } from "../../lib/core/types.js";
import { bytes, Cluster, confStateOf, Disk } from "./cluster.js";
import { entriesOf, Solo, typesOf } from "./solo.js";

/** A cluster of two whose logs hold entries of these terms. */
function twoLogs(leader: readonly Term[], follower: readonly Term[]): Cluster {
  const disk = (terms: readonly Term[]): Disk => {
    const made = new Disk(confStateOf([1, 2, 3]));
    made.entries = entriesOf(terms);
    made.hardState = { term: Math.max(...leader, ...follower), vote: 0, commit: 0 };
    return made;
  };
  const disks = new Map([
    [1, disk(leader)],
    [2, disk(follower)],
    [3, disk(leader)],
  ]);
  return new Cluster(3, { preVote: false, reportCommit: false }, [], disks);
}

describe("a leader finds where the logs meet in one probe per term, not per entry", () => {
  // Logs of leader and follower, and how many refusals it takes. (Tables as in etcd's TestFastLogRejection, in our own cases.)
  it.each([
    { name: "equal logs", leader: [1, 2, 2], follower: [1, 2, 2], refusals: 0 },
    { name: "follower is short", leader: [1, 2, 2, 4, 4, 4], follower: [1, 2, 2], refusals: 1 },
    {
      name: "follower has many entries of older terms",
      leader: [1, 3, 3, 3, 5, 5, 5],
      follower: [1, 1, 1, 1, 2, 2, 4],
      refusals: 2,
    },
    {
      name: "leader has many entries of newer terms",
      leader: [1, 3, 3, 3, 5, 5, 5],
      follower: [1, 3, 3, 4],
      refusals: 2,
    },
    {
      name: "each side has a term the other lacks",
      leader: [1, 1, 2, 2, 2, 2],
      follower: [1, 1, 3, 3, 3, 3],
      refusals: 1,
    },
    { name: "nothing in common", leader: [2, 2, 2], follower: [1, 1, 1, 1], refusals: 1 },
    {
      name: "terms alternate",
      leader: [1, 1, 2, 2, 4, 4, 4],
      follower: [1, 1, 3, 3, 3, 3, 3],
      refusals: 2,
    },
    { name: "alternating throughout", leader: [1, 3, 5, 7], follower: [1, 2, 4, 6], refusals: 3 },
  ])("$name", ({ leader, follower, refusals }) => {
    const cluster = twoLogs(leader, follower);
    const node = cluster.node(1);
    node.campaign();
    cluster.settle();
    if (node.basicStatus().role !== "leader") throw new Error("not elected");
    cluster.tick(2);
    const refused = cluster.sent.filter(
      ({ type, reject, from }) => type === "MsgAppResp" && reject && from === 2,
    );
    expect(refused.length).toBe(refusals);
    expect(cluster.peer(2).disk.entries.map(({ term }) => term)).toEqual([
      ...leader,
      node.basicStatus().term,
    ]);
  });

  it.each([
    {
      name: "our last entry of at most that term",
      at: 6,
      term: 4,
      expected: { index: 4, term: 4 },
    },
    {
      name: "the index itself when its term fits",
      at: 5,
      term: 5,
      expected: { index: 5, term: 5 },
    },
    { name: "nothing", at: 3, term: 0, expected: { index: 0, term: 0 } },
  ])("a follower's hint is $name", ({ at, term, expected }) => {
    const solo = new Solo({ log: [1, 1, 4, 4, 5, 6] });
    const [answer] = solo.tell("MsgApp", 2, { term: 9, index: at, logTerm: term === 6 ? 5 : term });
    if (answer?.reject === false) expect(expected).toEqual({ index: 5, term: 5 });
    else expect({ index: answer?.rejectHint, term: answer?.logTerm }).toEqual(expected);
  });
});

describe("a follower takes over an append", () => {
  it.each([
    {
      name: "that extends its log",
      log: [1, 1],
      prev: [2, 1],
      terms: [2],
      commit: 0,
      expected: [1, 1, 2],
      committed: 0,
    },
    {
      name: "that it holds already, keeping what follows",
      log: [1, 1, 1],
      prev: [0, 0],
      terms: [1],
      commit: 0,
      expected: [1, 1, 1],
      committed: 0,
    },
    {
      name: "that replaces a conflicting tail",
      log: [1, 2, 2, 2],
      prev: [1, 1],
      terms: [3],
      commit: 0,
      expected: [1, 3],
      committed: 0,
    },
    {
      name: "and commits no more than it then knows to be the leader's",
      log: [1, 1, 1],
      prev: [1, 1],
      terms: [1],
      commit: 3,
      expected: [1, 1, 1],
      committed: 2,
    },
    {
      name: "and commits no more than the leader has",
      log: [1, 1],
      prev: [2, 1],
      terms: [1, 1],
      commit: 3,
      expected: [1, 1, 1, 1],
      committed: 3,
    },
    {
      name: "that is empty, and commits up to where it matches",
      log: [1, 1, 1],
      prev: [2, 1],
      terms: [],
      commit: 9,
      expected: [1, 1, 1],
      committed: 2,
    },
  ])("$name", ({ log, prev, terms, commit, expected, committed }) => {
    const solo = new Solo({ log });
    const [index, logTerm] = prev as [number, number];
    const [answer] = solo.tell("MsgApp", 2, {
      term: 3,
      index,
      logTerm,
      entries: entriesOf(terms, index + 1),
      commit,
    });
    expect(answer).toMatchObject({
      type: "MsgAppResp",
      reject: false,
      index: index + terms.length,
    });
    expect(solo.terms()).toEqual(expected);
    expect(solo.status.commit).toBe(committed);
  });

  it("but not where the logs do not meet", () => {
    const solo = new Solo({ log: [1, 1, 2] });
    const [answer] = solo.tell("MsgApp", 2, {
      term: 3,
      index: 3,
      logTerm: 1,
      entries: entriesOf([3], 4),
      commit: 4,
    });
    expect(answer).toMatchObject({ reject: true, index: 3, rejectHint: 2, logTerm: 1 });
    expect(solo.terms()).toEqual([1, 1, 2]);
    expect(solo.status.commit).toBe(0);
  });

  it("and answers one from before its commit index with that index, whatever it holds", () => {
    const solo = new Solo({ log: [1, 1, 1], hardState: { commit: 3 } });
    const [answer] = solo.tell("MsgApp", 2, {
      term: 3,
      index: 1,
      logTerm: 1,
      entries: entriesOf([3], 2),
    });
    expect(answer).toMatchObject({ reject: false, index: 3 });
    expect(solo.terms()).toEqual([1, 1, 1]);
  });
});

describe("a leader commits", () => {
  it.each([
    { name: "what two of three hold", voters: 3, acks: { 2: 3 }, commit: 3 },
    { name: "nothing that only it holds", voters: 3, acks: {}, commit: 0 },
    { name: "what three of five hold", voters: 5, acks: { 2: 3, 3: 2 }, commit: 2 },
    { name: "nothing that two of five hold", voters: 5, acks: { 2: 3 }, commit: 0 },
    { name: "what three of four hold", voters: 4, acks: { 2: 3, 3: 3 }, commit: 3 },
    { name: "alone, what is on its disk", voters: 1, acks: {}, commit: 3 },
  ])("$name", ({ voters, acks, commit }) => {
    const ids = Array.from({ length: voters }, (_, at) => at + 1);
    const solo = new Solo({ conf: { voters: ids } }).lead(ids.slice(1));
    solo.propose("a", "b");
    for (const [id, index] of Object.entries(acks)) solo.ack(Number(id), index);
    expect(solo.status.commit).toBe(commit);
  });

  it("by counting only entries of its own term; earlier ones follow with them (figure 8)", () => {
    const solo = new Solo({ log: [1, 2, 2], hardState: { term: 3 } }).lead();
    expect(solo.status.term).toBe(4);
    solo.ack(2, 3);
    solo.ack(3, 3);
    expect(solo.status.commit).toBe(0);
    solo.ack(2, 4);
    expect(solo.status.commit).toBe(4);
  });

  it("what both halves of a joint configuration hold", () => {
    const solo = new Solo({ conf: { voters: [1, 2, 3], votersOutgoing: [1, 4, 5] } }).lead([2, 4]);
    solo.ack(2);
    solo.ack(3);
    expect(solo.status.commit).toBe(0);
    solo.ack(5);
    expect(solo.status.commit).toBe(1);
  });

  it("not by learners' acknowledgements", () => {
    const solo = new Solo({ conf: { voters: [1, 2, 3], learners: [4, 5] } }).lead();
    solo.ack(4);
    solo.ack(5);
    expect(solo.status.commit).toBe(0);
  });

  it("not by its own acknowledgement before its disk has answered", () => {
    const solo = new Solo({ conf: { voters: [1] } }).lead([]);
    const { commit } = solo.status;
    solo.node.propose(bytes("a"));
    const ready = solo.node.ready();
    expect(solo.status.commit).toBe(commit);
    solo.node.persisted(ready.write as NonNullable<typeof ready.write>);
    expect(solo.status.commit).toBe(commit + 1);
  });
});

describe("progress", () => {
  it("probes with one append at a time, and the next heartbeat's answer lets another out", () => {
    const solo = new Solo().lead();
    expect(solo.peer(2)).toMatchObject({ state: "probe", isPaused: true });
    expect(typesOf(solo.propose("a", "b")).filter((each) => each === "MsgApp>2")).toEqual([]);
    const sent = solo.tell("MsgHeartbeatResp", 2);
    expect(typesOf(sent)).toEqual(["MsgApp>2"]);
    expect(sent[0]?.entries).toHaveLength(3);
  });

  it("replicates as soon as the logs meet, and sends each entry once", () => {
    const solo = new Solo().lead();
    solo.ack(2);
    expect(solo.peer(2)).toMatchObject({ state: "replicate", match: 1, next: 2 });
    const sent = solo.propose("a", "b").filter(({ to, type }) => to === 2 && type === "MsgApp");
    expect(sent.map(({ entries }) => entries.map(({ index }) => index))).toEqual([[2], [3]]);
  });

  it("goes back to probing where it stands when a send fails", () => {
    const solo = new Solo().lead();
    solo.ack(2);
    solo.propose("a", "b");
    solo.node.reportUnreachable(2);
    expect(solo.peer(2)).toMatchObject({ state: "probe", next: 2, inflight: 0 });
  });

  it("while replicating, goes back to what is known when refused, not to the hint", () => {
    const solo = new Solo().lead();
    solo.ack(2);
    solo.propose("a", "b", "c");
    solo.ack(2, 2);
    solo.tell("MsgAppResp", 2, { reject: true, index: 4, rejectHint: 3, logTerm: 1 });
    expect(solo.peer(2)).toMatchObject({ state: "probe", match: 2 });
    expect(solo.sent.at(-1)).toMatchObject({ type: "MsgApp", to: 2, index: 2 });
  });

  it("ignores refusals of appends that have matched since, or are not the probe under way", () => {
    const solo = new Solo({ log: [1, 1, 1] }).lead();
    solo.tell("MsgAppResp", 2, { reject: true, index: 1, rejectHint: 0 });
    expect(solo.peer(2)).toMatchObject({ state: "probe", next: 4 });
    solo.ack(2);
    expect(solo.tell("MsgAppResp", 2, { reject: true, index: 3, rejectHint: 0 })).toEqual([]);
    expect(solo.peer(2)).toMatchObject({ state: "replicate", match: 4 });
  });

  it("ignores acknowledgements that arrive late", () => {
    const solo = new Solo().lead();
    solo.propose("a", "b");
    solo.ack(2, 3);
    expect(solo.ack(2, 1)).toEqual([]);
    expect(solo.peer(2).match).toBe(3);
  });
});

describe("flow control", () => {
  it("fills the window by count, and acknowledgements slide it", () => {
    const solo = new Solo({ inflightAppendsMax: 3 }).lead();
    solo.ack(2);
    const sent = solo.propose("a", "b", "c", "d", "e").filter(({ to }) => to === 2);
    expect(sent.map(({ entries }) => entries.length)).toEqual([1, 1, 1]);
    expect(solo.peer(2)).toMatchObject({ inflight: 3, isPaused: true });
    const more = solo.ack(2, 3).filter(({ to, entries }) => to === 2 && entries.length > 0);
    expect(more.map(({ index, entries }) => [index, entries.length])).toEqual([[4, 2]]);
    // One that was counted before frees nothing.
    expect(solo.ack(2, 2)).toEqual([]);
  });

  it("fills the window by bytes, which one append may exceed", () => {
    const solo = new Solo({ inflightBytesMax: 10, appendBytesMax: 0 }).lead();
    solo.ack(2);
    const sent = solo.propose("12345678", "1234", "1").filter(({ to }) => to === 2);
    expect(sent.map(({ entries }) => entries.length)).toEqual([1, 1]);
    expect(solo.peer(2)).toMatchObject({ inflight: 2, inflightBytes: 12, isPaused: true });
  });

  it("sends an empty append for each heartbeat answered with a full window, so that a lost window is noticed", () => {
    const solo = new Solo({ inflightAppendsMax: 2 }).lead();
    solo.ack(2);
    solo.propose("a", "b", "c");
    for (let round = 0; round < 3; round++) {
      const sent = solo.tell("MsgHeartbeatResp", 2);
      expect(sent.map(({ index, entries }) => [index, entries.length])).toEqual([[3, 0]]);
    }
  });

  it.each([
    { name: "one entry each when 0", max: 0, expected: [1, 1, 1, 1] },
    { name: "as many as fit", max: 30, expected: [2, 2] },
    { name: "all when unlimited", max: Number.POSITIVE_INFINITY, expected: [4] },
  ])("cuts appends by their encoded bytes: $name", ({ max, expected }) => {
    // 4 bytes of term and index, 2 and 8 of data: 14 each.
    const solo = new Solo({
      entries: entriesOf([1, 1, 1]).map((e) => ({ ...e, data: bytes("12345678") })),
      appendBytesMax: max,
    }).lead();
    const before = solo.sent.length;
    solo.tell("MsgAppResp", 2, { reject: true, index: 3, rejectHint: 0 });
    const appends = () =>
      solo.sent
        .slice(before)
        .filter(({ type, to, entries }) => type === "MsgApp" && to === 2 && entries.length > 0);
    for (let at = 0; at < appends().length; at++) {
      const append = appends()[at];
      solo.ack(2, (append?.index ?? 0) + (append?.entries.length ?? 0));
    }
    const sizes = appends().map(({ entries }) => entries.length);
    expect(sizes).toEqual(expected);
  });
});

describe("the commit index reaches followers", () => {
  it("at once, but only those to whom it is news", () => {
    const solo = new Solo().lead();
    solo.ack(2);
    solo.ack(3);
    solo.propose("a");
    const sent = solo.ack(2, 2);
    expect(sent.map(({ to, commit }) => [to, commit])).toEqual([
      [2, 2],
      [3, 2],
    ]);
    // 3 has been told of 2 while the append was under way: its acknowledgement needs no further word.
    expect(solo.ack(3, 2)).toEqual([]);
  });

  it("again when a heartbeat has told a smaller one, or probing begins anew", () => {
    const solo = new Solo().lead();
    solo.ack(2);
    solo.ack(3);
    solo.propose("a");
    solo.ack(2, 2);
    // 3 holds 1 so far as we know: the heartbeat says 1, and 2 must be said again once it acknowledges 2.
    const [, beat] = solo.tick();
    expect(beat).toMatchObject({ type: "MsgHeartbeat", to: 3, commit: 1 });
    expect(solo.ack(3, 2)).toMatchObject([{ type: "MsgApp", to: 3, commit: 2 }]);
  });

  it("is told again after a return to probing, where the append that told it may be lost", () => {
    const solo = new Solo().lead();
    solo.ack(2);
    solo.ack(3);
    solo.propose("a");
    solo.ack(2, 2);
    solo.node.reportUnreachable(3);
    expect(solo.ack(3, 2).at(-1)).toMatchObject({ type: "MsgApp", to: 3, commit: 2 });
  });

  it("in heartbeats only as far as the follower has acknowledged", () => {
    const solo = new Solo().lead();
    solo.propose("a", "b");
    solo.ack(2);
    solo.ack(3, 1);
    const beats = solo.tick().map(({ to, commit }) => [to, commit]);
    expect(beats).toEqual([
      [2, 3],
      [3, 1],
    ]);
  });
});

describe("a heartbeat", () => {
  it.each([
    { name: "moves the commit index", commit: 2, expected: 2 },
    { name: "never back", commit: 0, expected: 1 },
  ])("$name", ({ commit, expected }) => {
    const solo = new Solo({ log: [1, 1, 1], hardState: { commit: 1 } });
    const [answer] = solo.tell("MsgHeartbeat", 2, { commit, context: bytes("12345678") });
    expect(answer).toMatchObject({ type: "MsgHeartbeatResp", to: 2, context: bytes("12345678") });
    expect(solo.status.commit).toBe(expected);
  });

  it("goes to everybody after heartbeatTicks", () => {
    const solo = new Solo({ heartbeatTicks: 3 }).lead();
    expect(typesOf(solo.tick(2))).toEqual([]);
    expect(typesOf(solo.tick())).toEqual(["MsgHeartbeat>2", "MsgHeartbeat>3"]);
  });
});

describe("a proposal", () => {
  it("at a follower goes to the leader in its author's name", () => {
    const solo = new Solo();
    solo.tell("MsgHeartbeat", 2, { term: 1 });
    expect(solo.node.propose(bytes("a"))).toEqual({
      accepted: true,
      index: 0,
      term: 0,
      forwardedTo: 2,
    });
    expect(solo.drain()).toMatchObject([{ type: "MsgProp", from: 1, to: 2, term: 0 }]);
    expect(solo.tell("MsgProp", 3, { term: 0, entries: entriesOf([0]) })).toMatchObject([
      { type: "MsgProp", from: 3, to: 2 },
    ]);
  });

  it.each([
    { name: "without a leader", start: {}, reach: () => {}, reason: "noLeader" },
    {
      name: "as a candidate",
      start: {},
      reach: (s: Solo) => s.node.campaign(),
      reason: "noLeader",
    },
    {
      name: "with forwarding off",
      start: { forwardProposals: false },
      reach: (s: Solo) => s.tell("MsgHeartbeat", 2, { term: 1 }),
      reason: "notForwarding",
    },
    { name: "of nothing", start: {}, reach: () => {}, reason: "noLeader" },
  ])("is refused $name, and says why", ({ start, reach, reason }) => {
    const solo = new Solo(start);
    reach(solo);
    expect(solo.node.propose(bytes("a"))).toEqual({ accepted: false, reason });
    expect(solo.node.propose([])).toEqual({ accepted: false, reason: "empty" });
  });

  it("has a fate", () => {
    const solo = new Solo().lead();
    const placed = solo.node.propose([bytes("a"), bytes("b")]);
    expect(placed).toEqual({ accepted: true, index: 2, term: 1, forwardedTo: 0 });
    solo.drain();
    expect(solo.node.proposalFate(2, 1)).toBe("pending");
    solo.ack(2, 2);
    expect(solo.node.proposalFate(2, 1)).toBe("committed");
    expect(solo.node.proposalFate(3, 1)).toBe("pending");
    solo.tell("MsgApp", 3, { term: 2, index: 2, logTerm: 1, entries: entriesOf([2], 3) });
    // Replaced here; but it may stand in another log, whose owner leads next.
    expect(solo.node.proposalFate(3, 1)).toBe("pending");
    solo.tell("MsgHeartbeat", 3, { term: 2, commit: 3 });
    expect(solo.node.proposalFate(3, 1)).toBe("overwritten");
    solo.node.compacted(2);
    expect(solo.node.proposalFate(1, 1)).toBe("unknown");
  });
});

describe("limits", () => {
  it("refuse proposals beyond uncommittedBytesMax, but for the first and empty ones", () => {
    const solo = new Solo({ uncommittedBytesMax: 10 }).lead();
    expect(solo.node.propose(bytes("123456789012345")).accepted).toBe(true);
    expect(solo.node.propose(bytes("1"))).toEqual({
      accepted: false,
      reason: "tooMuchUncommitted",
    });
    expect(solo.node.propose(new Uint8Array(0)).accepted).toBe(true);
    solo.drain();
    solo.ack(2);
    expect(solo.status.uncommittedBytes).toBe(0);
    expect(solo.node.propose(bytes("1")).accepted).toBe(true);
  });

  it("refuse proposals while the log fills its memory, until it is compacted", () => {
    const solo = new Solo({ logBytesMax: 1000 }).lead();
    for (let at = 0; at < 2; at++) solo.propose("x".repeat(300));
    expect(solo.node.propose(bytes("y"))).toEqual({ accepted: false, reason: "tooMuchLog" });
    expect(solo.node.propose(new Uint8Array(0)).accepted).toBe(true);
    solo.node.setLogBytesMax(2000);
    expect(solo.node.propose(bytes("y")).accepted).toBe(true);
    solo.node.setLogBytesMax(1000);
    expect(solo.node.propose(bytes("y")).accepted).toBe(false);
    solo.ack(2);
    solo.node.compacted(3);
    expect(solo.node.propose(bytes("y")).accepted).toBe(true);
  });

  it("hand out committed entries by bytes, and no more until they are applied", () => {
    const solo = new Solo({ log: Array(6).fill(1), applyBytesMax: 20, hardState: { commit: 6 } });
    // 9 bytes each: 2 of term, 2 of index, 2 and 3 of data.
    const first = solo.node.ready();
    expect(first.committedEntries.map(({ index }) => index)).toEqual([1, 2]);
    expect(solo.node.hasReady()).toBe(false);
    solo.node.applied(1);
    expect(solo.node.hasReady()).toBe(false);
    solo.node.applied(2);
    expect(solo.node.ready().committedEntries.map(({ index }) => index)).toEqual([3, 4]);
  });

  it("share one budget among several Readys that are not applied yet", () => {
    // 9 bytes each: 18, 36, and then there is room for none; but one is always handed out.
    const solo = new Solo({ log: Array(8).fill(1), applyBytesMax: 40, hardState: { commit: 2 } });
    const handedOut = () => solo.node.ready().committedEntries.map(({ index }) => index);
    expect(handedOut()).toEqual([1, 2]);
    solo.step("MsgHeartbeat", 2, { commit: 4 });
    expect(handedOut()).toEqual([3, 4]);
    solo.step("MsgHeartbeat", 2, { commit: 7 });
    expect(handedOut()).toEqual([5]);
    expect(handedOut()).toEqual([]);
    solo.node.applied(4);
    expect(handedOut()).toEqual([6, 7]);
  });
});
