import { describe, expect, it } from "vitest";
import { decodePosition, encodePosition } from "../../lib/core/reads.js";
import { bytes, Cluster, text } from "./cluster.js";
import { change, entriesOf, Solo } from "./solo.js";

function committedLeader(start: ConstructorParameters<typeof Solo>[0] = {}): Solo {
  const solo = new Solo(start).lead();
  solo.ack(2);
  return solo;
}

const answers = (solo: Solo) => solo.reads.map(({ index, context }) => [index, text(context)]);

describe("a read at the leader", () => {
  it("is answered at the commit index of its arrival once a quorum has echoed its position", () => {
    const solo = committedLeader();
    expect(solo.node.readIndex(bytes("r1"))).toEqual({ accepted: true });
    const beats = solo.drain();
    expect(beats.map(({ type, to, context }) => [type, to, decodePosition(context)])).toEqual([
      ["MsgHeartbeat", 2, 1],
      ["MsgHeartbeat", 3, 1],
    ]);
    solo.propose("later");
    solo.ack(2);
    expect(answers(solo)).toEqual([]);
    solo.tell("MsgHeartbeatResp", 3, { context: encodePosition(1) });
    expect(answers(solo)).toEqual([[1, "r1"]]);
  });

  it("shares a round of heartbeats with those before it, and is answered in order", () => {
    const solo = committedLeader();
    for (const context of ["r1", "r2", "r3"]) solo.node.readIndex(bytes(context));
    solo.drain();
    solo.tell("MsgHeartbeatResp", 2, { context: encodePosition(2) });
    expect(answers(solo).map(([, context]) => context)).toEqual(["r1", "r2"]);
    solo.tell("MsgHeartbeatResp", 3, { context: encodePosition(3) });
    expect(answers(solo).map(([, context]) => context)).toEqual(["r1", "r2", "r3"]);
  });

  it("with a context that was used before is a read of its own (etcd#20418)", () => {
    const solo = committedLeader();
    solo.node.readIndex(bytes("same"));
    solo.drain();
    solo.propose("x");
    solo.ack(2);
    solo.node.readIndex(bytes("same"));
    solo.drain();
    // The echo of the first confirms nothing about the second.
    solo.tell("MsgHeartbeatResp", 2, { context: encodePosition(1) });
    expect(answers(solo)).toEqual([[1, "same"]]);
    solo.tell("MsgHeartbeatResp", 2, { context: encodePosition(2) });
    expect(answers(solo)).toEqual([
      [1, "same"],
      [2, "same"],
    ]);
  });

  it("is not confirmed by an answer to a heartbeat from before it", () => {
    const solo = committedLeader();
    solo.node.readIndex(bytes("r"));
    solo.drain();
    solo.tell("MsgHeartbeatResp", 2);
    expect(answers(solo)).toEqual([]);
  });

  it("is not confirmed by learners", () => {
    const solo = committedLeader({ conf: { voters: [1, 2, 3], learners: [4] } });
    solo.node.readIndex(bytes("r"));
    solo.drain();
    solo.tell("MsgHeartbeatResp", 4, { context: encodePosition(1) });
    expect(answers(solo)).toEqual([]);
  });

  it("needs both halves of a joint configuration", () => {
    const solo = new Solo({ conf: { voters: [1, 2, 3], votersOutgoing: [1, 4, 5] } }).lead([2, 4]);
    solo.ack(2);
    solo.ack(4);
    solo.node.readIndex(bytes("r"));
    solo.drain();
    solo.tell("MsgHeartbeatResp", 2, { context: encodePosition(1) });
    expect(answers(solo)).toEqual([]);
    solo.tell("MsgHeartbeatResp", 5, { context: encodePosition(1) });
    expect(answers(solo)).toEqual([[1, "r"]]);
  });

  it("waits for the first commit of the term: before, nobody knows what is committed", () => {
    const solo = new Solo({ log: [1, 1], hardState: { commit: 1 } }).lead();
    solo.node.readIndex(bytes("r"));
    expect(solo.drain()).toEqual([]);
    expect(solo.status.pendingReads).toBe(1);
    solo.ack(2);
    solo.tell("MsgHeartbeatResp", 2, { context: encodePosition(1) });
    expect(answers(solo)).toEqual([[3, "r"]]);
  });

  it("alone waits only for that: its stored commit index may lag what it acknowledged", () => {
    const solo = new Solo({ log: [1, 1], conf: { voters: [1] }, hardState: { commit: 0 } });
    solo.node.campaign();
    const vote = solo.node.ready();
    solo.node.persisted(vote.write as NonNullable<typeof vote.write>);
    expect(solo.role).toBe("leader");
    solo.node.readIndex(bytes("r"));
    expect(solo.node.ready().readStates).toEqual([]);
    solo.node.propose(bytes("x"));
    const write = solo.node.ready().write;
    solo.node.persisted(write as NonNullable<typeof write>);
    solo.drain();
    expect(answers(solo).map(([, context]) => context)).toEqual(["r"]);
    expect(answers(solo)[0]?.[0]).toBeGreaterThanOrEqual(3);
  });

  it("is answered when a smaller quorum suffices", () => {
    const solo = committedLeader({ conf: { voters: [1, 2, 3, 4] } });
    solo.ack(3);
    solo.node.proposeConfChange(change("r4"));
    solo.drain();
    solo.node.readIndex(bytes("r"));
    solo.drain();
    solo.tell("MsgHeartbeatResp", 2, { context: encodePosition(1) });
    expect(answers(solo)).toEqual([]);
    solo.ack(2);
    solo.ack(3);
    expect(answers(solo)).toEqual([[1, "r"]]);
  });

  it("is dropped with the term, and says so", () => {
    const solo = committedLeader();
    solo.node.readIndex(bytes("r"));
    solo.tell("MsgHeartbeat", 3, { term: 2 });
    expect(solo.dropped).toEqual(["r"]);
    expect(solo.status.pendingReads).toBe(0);
    const waiting = new Solo().lead();
    waiting.node.readIndex(bytes("w"));
    waiting.tell("MsgHeartbeat", 3, { term: 2 });
    expect(waiting.dropped).toEqual(["w"]);
  });

  it("does not accept positions that were never given out, or contexts that are none", () => {
    const solo = committedLeader();
    solo.node.readIndex(bytes("r"));
    solo.drain();
    for (const context of [
      encodePosition(2),
      bytes("short"),
      new Uint8Array(9),
      new Uint8Array(8).fill(255),
    ]) {
      expect(solo.step("MsgHeartbeatResp", 2, { context })).toEqual({
        accepted: false,
        reason: "malformed",
      });
    }
    expect(answers(solo)).toEqual([]);
  });

  it.each([
    { name: "without a context", context: "", start: {}, reason: "empty" },
    { name: "beyond readsMax", context: "b", start: { readsMax: 1 }, reason: "tooManyReads" },
  ])("is refused $name", ({ context, start, reason }) => {
    const solo = committedLeader(start);
    solo.node.readIndex(bytes("a"));
    expect(solo.node.readIndex(bytes(context))).toEqual({ accepted: false, reason });
  });
});

describe("a read at a follower", () => {
  const following = (start = {}): Solo => {
    const solo = new Solo({ log: [1, 1], ...start });
    solo.tell("MsgHeartbeat", 2, { term: 1 });
    return solo;
  };

  it("goes to the leader, which answers to its author", () => {
    const solo = following();
    solo.node.readIndex(bytes("r"));
    expect(solo.drain()).toMatchObject([{ type: "MsgReadIndex", from: 1, to: 2, term: 0 }]);
    solo.tell("MsgReadIndexResp", 2, {
      index: 2,
      entries: [{ ...(entriesOf([0])[0] as object), data: bytes("r") } as never],
    });
    expect(answers(solo)).toEqual([[2, "r"]]);
    expect(solo.status.pendingReads).toBe(0);
    const leader = committedLeader();
    leader.step("MsgReadIndex", 3, { term: 0, entries: entriesOf([0]) });
    leader.drain();
    const sent = leader.tell("MsgHeartbeatResp", 2, { context: encodePosition(1) });
    expect(sent).toMatchObject([{ type: "MsgReadIndexResp", to: 3, index: 1 }]);
  });

  it("is refused without a leader, and dropped when the leader is gone", () => {
    expect(new Solo().node.readIndex(bytes("r"))).toEqual({ accepted: false, reason: "noLeader" });
    const solo = following();
    solo.node.readIndex(bytes("r"));
    solo.tell("MsgHeartbeat", 3, { term: 2 });
    expect(solo.dropped).toEqual(["r"]);
    const candidate = following({ preVote: true });
    candidate.node.readIndex(bytes("s"));
    candidate.node.campaign();
    candidate.drain();
    expect(candidate.dropped).toEqual(["s"]);
    expect(candidate.node.readIndex(bytes("t"))).toEqual({ accepted: false, reason: "noLeader" });
  });

  it("is dropped when no answer came for two election timeouts, so that lost ones do not pile up under a leader that stays", () => {
    const solo = following({ readsMax: 1, electionTicks: 5 });
    solo.node.readIndex(bytes("lost"));
    const hear = () => solo.tell("MsgHeartbeat", 2, { term: 1 });
    for (let tick = 1; tick < 10; tick++) {
      solo.tick();
      hear();
    }
    expect(solo.dropped).toEqual([]);
    expect(solo.node.readIndex(bytes("r"))).toEqual({ accepted: false, reason: "tooManyReads" });
    solo.tick();
    hear();
    expect(solo.dropped).toEqual(["lost"]);
    expect(solo.node.readIndex(bytes("r"))).toEqual({ accepted: true });
    expect(solo.status.pendingReads).toBe(1);
  });

  it("moves the commit index where the entry is the leader's own", () => {
    const response = { index: 2, entries: entriesOf([0]) };
    const solo = following({ reportCommit: true });
    solo.tell("MsgReadIndexResp", 2, response);
    expect(solo.status.commit).toBe(2);
    // An entry of an earlier term may not be the one that the leader has committed.
    const other = following({ reportCommit: true });
    other.tell("MsgHeartbeat", 2, { term: 2 });
    other.tell("MsgReadIndexResp", 2, { ...response, term: 2 });
    expect(other.status.commit).toBe(0);
  });

  it("passes through a whole cluster, learners included", () => {
    const cluster = new Cluster(4, {}, [4]);
    cluster.elect(1);
    cluster.propose(1, "a");
    for (const id of [1, 2, 3, 4]) {
      cluster.node(id).readIndex(bytes(`from ${id}`));
      cluster.settle();
      expect(cluster.peer(id).reads.map(({ index, context }) => [index, text(context)])).toEqual([
        [2, `from ${id}`],
      ]);
    }
  });
});

describe("reads by lease", () => {
  const lease = { reads: "lease", checkQuorum: true, maxElectionTicks: 30 } as const;

  /** A leader whose last heartbeat round was answered by 2 within the same tick. */
  function leased(): Solo {
    const solo = committedLeader(lease);
    const [beat] = solo.tick();
    solo.tell("MsgHeartbeatResp", 2, { context: beat?.context as Uint8Array });
    return solo;
  }

  it("are answered at once while a quorum has heard from us of late", () => {
    const solo = leased();
    expect(solo.status.inLease).toBe(true);
    solo.node.readIndex(bytes("r"));
    expect(solo.drain()).toEqual([]);
    expect(answers(solo)).toEqual([[1, "r"]]);
  });

  it("go the safe way once the lease may be over, which is counted from when the heartbeat was sent", () => {
    const solo = committedLeader(lease);
    const [beat] = solo.tick();
    // The answer takes eight ticks.
    solo.tick(7);
    solo.tell("MsgHeartbeatResp", 2, { context: beat?.context as Uint8Array });
    solo.tick(1);
    expect(solo.status.inLease).toBe(true);
    solo.tick(1);
    expect(solo.status.inLease).toBe(false);
    solo.node.readIndex(bytes("r"));
    expect(solo.drain().map(({ type }) => type)).toEqual(["MsgHeartbeat", "MsgHeartbeat"]);
    expect(answers(solo)).toEqual([]);
  });

  it.each([
    {
      name: "before the first round of heartbeats is answered",
      reach: () => committedLeader(lease),
    },
    {
      name: "while leadership is handed over",
      reach: () => {
        const solo = leased();
        solo.node.transferLeader(3);
        return solo;
      },
    },
    {
      name: "ever again in a term in which somebody was told to campaign",
      reach: () => {
        const solo = leased();
        solo.node.transferLeader(2);
        solo.drain();
        for (let at = 0; at < 12; at++) {
          const [beat] = solo.tick();
          solo.tell("MsgHeartbeatResp", 2, { context: beat?.context as Uint8Array });
        }
        expect(solo.status.leadTransferee).toBe(0);
        return solo;
      },
    },
    {
      name: "without CheckQuorum",
      reach: () => {
        const solo = leased();
        solo.node.setCheckQuorum(false);
        return solo;
      },
    },
    {
      name: "by the voters of another configuration",
      reach: () => {
        const solo = leased();
        solo.node.proposeConfChange(change("v4"));
        solo.drain();
        solo.ack(2);
        return solo;
      },
    },
  ])("do not rest on a lease $name", ({ reach }) => {
    expect(reach().status.inLease).toBe(false);
  });

  it("rest on voters that elect nobody else meanwhile: a restarted one grants no vote for an election timeout", () => {
    const solo = new Solo({ ...lease, log: [1], hardState: { term: 1 }, minElectionTicks: 20 });
    const request = { term: 2, index: 5, logTerm: 1 };
    solo.tick(9);
    expect(solo.tell("MsgVote", 2, request)).toEqual([]);
    expect(solo.tell("MsgPreVote", 2, request)).toEqual([]);
    expect(solo.node.campaign()).toEqual({ accepted: false, reason: "recentlyStarted" });
    expect(solo.status).toMatchObject({ term: 1, role: "follower" });
    solo.tick(1);
    expect(solo.tell("MsgVote", 2, request)).toMatchObject([
      { type: "MsgVoteResp", reject: false },
    ]);
  });

  it("let the leader hand over to a restarted voter all the same, and a sole voter start at once", () => {
    const solo = new Solo({ ...lease, log: [1], hardState: { term: 1 } });
    solo.tell("MsgTimeoutNow", 2);
    expect(solo.role).toBe("candidate");
    const alone = new Solo({ ...lease, log: [1], hardState: { term: 1 }, conf: { voters: [1] } });
    expect(alone.node.campaign()).toEqual({ accepted: true });
  });

  it("forbid a voter to campaign while its leader's lease may last", () => {
    const solo = new Solo(lease);
    solo.tell("MsgHeartbeat", 2, { term: 1 });
    expect(solo.node.campaign()).toEqual({ accepted: false, reason: "leaseReads" });
    solo.tick(10);
    expect(solo.node.campaign()).toEqual({ accepted: true });
  });

  it("do not pile up rounds that nobody answers", () => {
    const alone = new Solo({ ...lease, conf: { voters: [1], learners: [2] } }).lead([]);
    alone.tick(100);
    expect(alone.status.pendingReads).toBe(0);
    const off = committedLeader(lease);
    off.node.setCheckQuorum(false);
    off.tick(100);
    expect(off.status.pendingReads).toBe(0);
  });
});
