import { describe, expect, it } from "vitest";
import { groupCommittedIndex } from "../../lib/core/quorum.js";
import type { Message } from "../../lib/core/types.js";
import { bytes, Cluster } from "./cluster.js";
import { change, changeEntry, entriesOf, Solo, snapshotOf, typesOf } from "./solo.js";

describe("priority", () => {
  it.each([
    {
      name: "a candidate of lower priority and an equal log is refused",
      theirs: 1,
      index: 2,
      granted: false,
    },
    { name: "of equal priority is elected", theirs: 5, index: 2, granted: true },
    { name: "of lower priority and a longer log is elected", theirs: 1, index: 3, granted: true },
  ])("$name", ({ theirs, index, granted }) => {
    for (const type of ["MsgVote", "MsgPreVote"] as const) {
      const solo = new Solo({ log: [1, 1], priority: 5 });
      const [answer] = solo.tell(type, 2, { term: 3, index, logTerm: 1, priority: theirs });
      expect(answer?.reject).toBe(!granted);
    }
  });

  it("travels in requests for votes, and changes while running", () => {
    const solo = new Solo({ priority: -2 });
    solo.node.setPriority(7);
    solo.node.campaign();
    expect(solo.drain()[0]).toMatchObject({ type: "MsgVote", priority: 7 });
  });
});

describe("group commit", () => {
  // Acknowledged indexes and groups of the voters; what is committed and whether it is spread over two groups.
  it.each([
    {
      name: "two groups: what the second holds",
      acked: [10, 9, 8],
      groups: [1, 1, 2],
      index: 8,
      spread: true,
    },
    {
      name: "two groups, the quorum being spread already",
      acked: [10, 9, 8],
      groups: [1, 2, 2],
      index: 9,
      spread: true,
    },
    {
      name: "one group: the quorum",
      acked: [10, 9, 8],
      groups: [1, 1, 1],
      index: 9,
      spread: false,
    },
    {
      name: "somebody without a group: what all hold",
      acked: [10, 9, 8],
      groups: [1, 1, 0],
      index: 8,
      spread: false,
    },
    {
      name: "nobody in a group: what all hold",
      acked: [10, 9, 8],
      groups: [0, 0, 0],
      index: 8,
      spread: false,
    },
    {
      name: "a quorum without a group, then two groups",
      acked: [10, 9, 8, 7],
      groups: [1, 0, 0, 2],
      index: 7,
      spread: true,
    },
    { name: "nobody", acked: [], groups: [], index: Number.POSITIVE_INFINITY, spread: true },
  ])("$name", ({ acked, groups, index, spread }) => {
    const ids = acked.map((_, at) => at);
    const outcome = groupCommittedIndex(
      ids,
      (id) => acked[id] ?? 0,
      (id) => groups[id] ?? 0,
    );
    expect(outcome).toEqual({ index, spread });
  });

  it("holds the commit index back until a second group has the entry", () => {
    const solo = new Solo({ groupCommit: true }).lead();
    solo.node.assignCommitGroups([
      [1, 1],
      [2, 1],
      [3, 2],
      [9, 4],
    ]);
    solo.ack(2);
    expect(solo.status.commit).toBe(0);
    solo.ack(3);
    expect(solo.status.commit).toBe(1);
    expect(solo.node.commitGroupsConsistent).toBe(true);
    solo.node.clearCommitGroups();
    expect(solo.node.commitGroupsConsistent).toBe(false);
  });

  it("lets go at once of what it held back when it is turned off, or groups change", () => {
    const solo = new Solo({ groupCommit: true }).lead();
    solo.node.assignCommitGroups([
      [1, 1],
      [2, 1],
      [3, 2],
    ]);
    solo.ack(2);
    solo.node.setGroupCommit(false);
    expect(solo.status.commit).toBe(1);
    expect(typesOf(solo.drain())).toContain("MsgApp>2");
    expect(new Solo().node.commitGroupsConsistent).toBeUndefined();
  });
});

describe("batchAppends", () => {
  it("joins appends that wait for the same follower", () => {
    const solo = new Solo({ batchAppends: true }).lead();
    solo.ack(2);
    solo.ack(3);
    for (const command of ["a", "b", "c"]) solo.node.propose(bytes(command));
    const sent = solo.node.ready().messages.filter(({ to }) => to === 2);
    expect(sent.map(({ index, commit, entries }) => [index, commit, entries.length])).toEqual([
      [1, 1, 3],
    ]);
  });

  it("does not join what does not follow", () => {
    const solo = new Solo({ batchAppends: true }).lead();
    solo.ack(2);
    solo.node.propose(bytes("a"));
    solo.node.reportUnreachable(2);
    solo.node.setBatchAppends(true);
    solo.node.propose(bytes("b"));
    const sent = solo.node.ready().messages.filter(({ to }) => to === 2);
    expect(sent.map(({ index, entries }) => [index, entries.length])).toEqual([
      [1, 1],
      [1, 2],
    ]);
  });
});

describe("requestSnapshot", () => {
  /** A follower whose log reaches into its leader's term. */
  function follower(): Solo {
    const solo = new Solo();
    solo.tell("MsgApp", 2, { term: 2, entries: entriesOf([2, 2]), commit: 1 });
    return solo;
  }

  it("answers every word of the leader with the wish until it is fulfilled", () => {
    const solo = follower();
    expect(solo.node.requestSnapshot()).toEqual({ accepted: true });
    const wish = {
      type: "MsgAppResp",
      to: 2,
      reject: true,
      index: 1,
      rejectHint: 2,
      requestSnapshot: 2,
    };
    expect(solo.drain()).toMatchObject([wish]);
    expect(solo.tell("MsgHeartbeat", 2)).toMatchObject([wish]);
    expect(solo.tell("MsgApp", 2, { index: 2, logTerm: 2 })).toMatchObject([wish]);
    // Also one that its log matches, and one at its own commit index.
    solo.tell("MsgSnap", 2, { snapshot: snapshotOf(2, 2) });
    expect(solo.status).toMatchObject({ firstIndex: 3, applied: 2 });
    expect(solo.tell("MsgHeartbeat", 2)).toMatchObject([{ type: "MsgHeartbeatResp" }]);
  });

  it.each([
    { name: "by a leader", reach: () => new Solo().lead(), reason: "alreadyLeader" },
    { name: "without a leader", reach: () => new Solo(), reason: "noLeader" },
    {
      name: "twice",
      reach: () => {
        const solo = follower();
        solo.node.requestSnapshot();
        return solo;
      },
      reason: "inProgress",
    },
    {
      name: "before the log has reached the leader's term",
      reach: () => {
        const solo = follower();
        solo.tell("MsgHeartbeat", 3, { term: 5 });
        return solo;
      },
      reason: "staleLog",
    },
  ])("is refused $name", ({ reach, reason }) => {
    expect(reach().node.requestSnapshot()).toEqual({ accepted: false, reason });
  });

  it("is given up by who campaigns, with the term, and after an election timeout", () => {
    const ends: readonly ((solo: Solo) => void)[] = [
      (solo) => {
        solo.node.campaign();
        solo.drain();
      },
      (solo) => solo.tell("MsgHeartbeat", 3, { term: 3 }),
      (solo) => {
        for (let i = 0; i < 10; i++) {
          solo.node.tick();
          solo.tell("MsgHeartbeat", 2);
        }
      },
    ];
    for (const end of ends) {
      const solo = follower();
      solo.node.requestSnapshot();
      end(solo);
      const from = solo.status.leader || 2;
      const answers = solo.tell("MsgHeartbeat", from, { term: solo.status.term });
      expect(answers).toMatchObject([{ type: "MsgHeartbeatResp" }]);
    }
  });

  it("stops nothing for good where the follower is needed for the quorum", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.propose(1, "a");
    cluster.isolate(2);
    cluster.node(3).requestSnapshot();
    cluster.propose(1, "b");
    for (let i = 0; i < 40; i++) cluster.tick(1);
    expect(cluster.peer(1).commands).toEqual(["a", "b"]);
    expect(cluster.peer(3).commands).toEqual(["a", "b"]);
  });

  it("makes the leader send one that is new enough, when there is one", () => {
    let index = 1;
    const solo = new Solo({ snapshot: () => snapshotOf(index, 1) }).lead();
    solo.ack(2);
    solo.propose("a");
    solo.ack(2);
    const wish: Partial<Message> = {
      reject: true,
      index: 2,
      rejectHint: 2,
      logTerm: 1,
      requestSnapshot: 2,
    };
    // Until there is one, appends go on.
    expect(typesOf(solo.tell("MsgAppResp", 2, wish))).toEqual(["MsgApp>2"]);
    index = 2;
    expect(typesOf(solo.tell("MsgHeartbeatResp", 2))).toEqual(["MsgSnap>2"]);
    expect(solo.peer(2)).toMatchObject({ state: "snapshot", pendingSnapshot: 2 });
    expect(solo.tell("MsgAppResp", 2, wish)).toEqual([]);
  });

  it("is overtaken by what the follower acknowledged since it was given up: no older snapshot takes that away", () => {
    const solo = follower();
    solo.node.requestSnapshot();
    for (let i = 0; i < 10; i++) {
      solo.node.tick();
      solo.tell("MsgHeartbeat", 2);
    }
    solo.tell("MsgApp", 2, { index: 2, logTerm: 2, entries: entriesOf([2, 2], 3), commit: 1 });
    solo.node.requestSnapshot();
    solo.drain();
    solo.tell("MsgSnap", 2, { snapshot: snapshotOf(2, 2) });
    expect(solo.status).toMatchObject({ lastIndex: 4, commit: 2 });
  });

  it("gives a follower its state anew, end to end", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.propose(1, "a");
    cluster.peer(3).disk.commands = ["rotten"];
    cluster.node(3).requestSnapshot();
    cluster.settle();
    cluster.tick(3);
    expect(cluster.count("MsgSnap", 3)).toBe(1);
    cluster.propose(1, "b");
    expect(cluster.peer(3).commands).toEqual(["a", "b"]);
  });
});

describe("the commit index travels", () => {
  const known = { commit: 2, commitTerm: 1 };

  it("with requests for votes: who refuses takes it over where the terms agree", () => {
    const behind = new Solo({ log: [1, 1, 2], reportCommit: true });
    behind.tell("MsgVote", 2, { term: 3, index: 2, logTerm: 1, ...known });
    expect(behind.status.commit).toBe(2);
    const other = new Solo({ log: [1, 2, 2], reportCommit: true });
    other.tell("MsgVote", 2, { term: 3, index: 2, logTerm: 1, ...known });
    expect(other.status.commit).toBe(0);
  });

  it("with refusals, to candidates; and a candidate that thereby learns of a change it has not applied steps down", () => {
    const entries = [...entriesOf([1]), changeEntry(1, 2, change("v4"))];
    for (const type of ["MsgVoteResp", "MsgPreVoteResp"] as const) {
      const solo = new Solo({ entries, reportCommit: true, preVote: type === "MsgPreVoteResp" });
      solo.node.campaign();
      solo.drain();
      solo.step(type, 2, { reject: true, ...known });
      expect(solo.status).toMatchObject({ commit: 2, role: "follower" });
    }
  });

  it("in what a node sends: requests, refusals and acknowledgements", () => {
    const solo = new Solo({ log: [1, 1], hardState: { commit: 2 }, reportCommit: true });
    expect(solo.tell("MsgHeartbeat", 2)).toMatchObject([{ type: "MsgHeartbeatResp", commit: 2 }]);
    expect(solo.tell("MsgApp", 2, { index: 2, logTerm: 1 })).toMatchObject([
      { type: "MsgAppResp", commit: 2 },
    ]);
    expect(solo.tell("MsgVote", 3, { term: 2 })).toMatchObject([
      { type: "MsgVoteResp", reject: true, ...known },
    ]);
    solo.node.campaign();
    expect(solo.drain()).toMatchObject([
      { type: "MsgVote", ...known },
      { type: "MsgVote", ...known },
    ]);
  });

  it("to the leader, which shows how far each follower has come", () => {
    const solo = new Solo({ reportCommit: true }).lead();
    solo.tell("MsgAppResp", 2, { index: 1, commit: 1 });
    solo.tell("MsgHeartbeatResp", 3, { commit: 1 });
    solo.tell("MsgHeartbeatResp", 3, { commit: 0 });
    expect([solo.peer(2).commit, solo.peer(3).commit]).toEqual([1, 1]);
  });

  it("is not sent where that is off", () => {
    const solo = new Solo({ log: [1, 1], hardState: { commit: 2 } });
    solo.node.campaign();
    expect(solo.drain()).toMatchObject([
      { commit: 0, commitTerm: 0 },
      { commit: 0, commitTerm: 0 },
    ]);
  });
});

describe("other knobs", () => {
  it("skipBroadcastCommit leaves followers to the next append or heartbeat, but for configuration changes", () => {
    const solo = new Solo({ skipBroadcastCommit: true }).lead();
    solo.ack(2);
    solo.ack(3);
    solo.propose("a");
    expect(solo.ack(2)).toEqual([]);
    expect(solo.tick().map(({ to, commit }) => [to, commit])).toEqual([
      [2, 2],
      [3, 1],
    ]);
    solo.node.proposeConfChange(change("u2"));
    solo.drain();
    expect(solo.ack(2).map(({ to }) => to)).toContain(3);
    solo.node.setSkipBroadcastCommit(false);
    solo.propose("b");
    expect(solo.ack(2).map(({ to }) => to)).toContain(3);
  });

  it("ping sends heartbeats now", () => {
    const solo = new Solo().lead();
    expect(solo.node.ping()).toEqual({ accepted: true });
    expect(typesOf(solo.drain())).toEqual(["MsgHeartbeat>2", "MsgHeartbeat>3"]);
    expect(new Solo().node.ping()).toEqual({ accepted: false, reason: "notLeader" });
  });

  it("a window of 0 stops replication to one peer; a larger one lets it go on", () => {
    const solo = new Solo().lead();
    solo.ack(2);
    solo.ack(3);
    expect(solo.node.setInflightAppendsMax(2, 0)).toBe(true);
    const sent = solo.propose("a").filter(({ to, entries }) => to === 2 && entries.length > 0);
    expect(sent).toEqual([]);
    solo.node.setInflightAppendsMax(2, 5);
    expect(solo.tell("MsgHeartbeatResp", 2)[0]?.entries).toHaveLength(1);
    expect(solo.node.setInflightAppendsMax(9, 5)).toBe(false);
  });

  it("empty windows give their memory back", () => {
    const solo = new Solo().lead();
    solo.ack(2);
    solo.propose("a");
    expect(solo.status.inflightsBytes).toBeGreaterThan(0);
    solo.node.releaseInflights();
    expect(solo.peer(2).inflight).toBe(1);
    solo.ack(2);
    solo.node.releaseInflights();
    expect(solo.status.inflightsBytes).toBe(0);
    solo.propose("b");
    expect(solo.peer(2).inflight).toBe(1);
  });

  it("applyBytesMax changes while running", () => {
    const solo = new Solo({ log: Array(6).fill(1), applyBytesMax: 1, hardState: { commit: 6 } });
    expect(solo.node.ready().committedEntries).toHaveLength(1);
    solo.node.setApplyBytesMax(1000);
    solo.node.applied(1);
    expect(solo.node.ready().committedEntries).toHaveLength(5);
  });
});
