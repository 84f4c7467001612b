import { describe, expect, it } from "vitest";
import type { Message } from "../../lib/core/types.js";
import { Cluster } from "./cluster.js";
import { change, changeEntry, entriesOf, Solo, typesOf } from "./solo.js";

const transfer = new TextEncoder().encode("CampaignTransfer");

function vote(messages: readonly Message[]): "granted" | "refused" | "ignored" {
  const response = messages.find(({ type }) => type.endsWith("VoteResp"));
  if (response === undefined) return "ignored";
  return response.reject ? "refused" : "granted";
}

describe("a vote", () => {
  it.each([
    { who: "a free voter grants", voted: 0, from: 2, expected: "granted" },
    { who: "who voted for the candidate grants again", voted: 2, from: 2, expected: "granted" },
    { who: "who voted for another refuses", voted: 3, from: 2, expected: "refused" },
  ])("of a term is given once: $who", ({ voted, from, expected }) => {
    const solo = new Solo({ hardState: { term: 2, vote: voted } });
    expect(vote(solo.tell("MsgVote", from, { term: 2 }))).toBe(expected);
  });

  it("is not given to a second candidate of a term after the first", () => {
    const solo = new Solo();
    expect(vote(solo.tell("MsgVote", 2, { term: 1 }))).toBe("granted");
    expect(vote(solo.tell("MsgVote", 3, { term: 1 }))).toBe("refused");
  });

  it("is not given in a term whose leader is known, even by who has not voted", () => {
    const solo = new Solo();
    solo.tell("MsgHeartbeat", 3, { term: 1 });
    expect(solo.status.vote).toBe(0);
    expect(vote(solo.tell("MsgVote", 2, { term: 1 }))).toBe("refused");
  });

  it.each([
    { log: "the same log", index: 3, logTerm: 2, expected: "granted" },
    { log: "a longer log of the same term", index: 4, logTerm: 2, expected: "granted" },
    { log: "a shorter log of the same term", index: 2, logTerm: 2, expected: "refused" },
    { log: "a shorter log of a later term", index: 1, logTerm: 3, expected: "granted" },
    { log: "a longer log of an earlier term", index: 9, logTerm: 1, expected: "refused" },
  ])("goes to a candidate with $log: $expected", ({ index, logTerm, expected }) => {
    for (const type of ["MsgVote", "MsgPreVote"] as const) {
      const solo = new Solo({ log: [1, 1, 2] });
      expect(vote(solo.tell(type, 2, { term: 4, index, logTerm }))).toBe(expected);
    }
  });

  it("that is granted restarts the election timer; one that is refused does not", () => {
    const granting = new Solo({ hardState: { term: 1 }, maxElectionTicks: 11 });
    granting.tick(9);
    expect(vote(granting.tell("MsgVote", 2, { term: 1 }))).toBe("granted");
    granting.tick(9);
    expect(granting.role).toBe("follower");
    const refusing = new Solo({ log: [1], maxElectionTicks: 11 });
    refusing.tell("MsgHeartbeat", 3, { term: 2 });
    refusing.tick(9);
    expect(vote(refusing.tell("MsgVote", 2, { term: 2 }))).toBe("refused");
    refusing.tick(1);
    expect(refusing.role).toBe("candidate");
  });

  it("is given by a learner that is asked, since it may have been promoted without knowing", () => {
    const solo = new Solo({ conf: { voters: [2, 3], learners: [1] } });
    expect(vote(solo.tell("MsgVote", 2, { term: 1 }))).toBe("granted");
  });

  it.each([
    { role: "leader", reach: (s: Solo) => s.lead() },
    { role: "candidate", reach: (s: Solo) => s.node.campaign() },
    { role: "follower", reach: () => {} },
  ])("of a later term is given by a $role, which then follows", ({ reach }) => {
    const solo = new Solo();
    reach(solo);
    solo.drain();
    const term = solo.status.term + 1;
    const messages = solo.tell("MsgVote", 3, { term, index: 9, logTerm: term - 1 });
    expect(vote(messages)).toBe("granted");
    expect(solo.status).toMatchObject({ role: "follower", term, vote: 3 });
  });
});

describe("a candidate", () => {
  it.each([
    { votes: "one of three", size: 3, grants: [], refusals: [], expected: "candidate" },
    { votes: "two of three", size: 3, grants: [2], refusals: [], expected: "leader" },
    {
      votes: "refused by two of three",
      size: 3,
      grants: [],
      refusals: [2, 3],
      expected: "follower",
    },
    {
      votes: "one for, one against of three",
      size: 3,
      grants: [2],
      refusals: [3],
      expected: "leader",
    },
    { votes: "two of four", size: 4, grants: [2], refusals: [], expected: "candidate" },
    {
      votes: "two for, two against of four",
      size: 4,
      grants: [2],
      refusals: [3, 4],
      expected: "follower",
    },
    { votes: "three of five", size: 5, grants: [2, 3], refusals: [4, 5], expected: "leader" },
    { votes: "of one alone", size: 1, grants: [], refusals: [], expected: "leader" },
  ])("with $votes is $expected", ({ size, grants, refusals, expected }) => {
    const voters = Array.from({ length: size }, (_, at) => at + 1);
    const solo = new Solo({ conf: { voters } });
    solo.node.campaign();
    solo.drain();
    for (const id of grants) solo.tell("MsgVoteResp", id);
    for (const id of refusals) solo.tell("MsgVoteResp", id, { reject: true });
    expect(solo.role).toBe(expected);
  });

  it("counts each voter once", () => {
    const solo = new Solo({ conf: { voters: [1, 2, 3, 4, 5] } });
    solo.node.campaign();
    solo.drain();
    solo.tell("MsgVoteResp", 2);
    solo.tell("MsgVoteResp", 2);
    expect(solo.role).toBe("candidate");
  });

  it("takes a voter's first word", () => {
    const solo = new Solo();
    solo.node.campaign();
    solo.drain();
    solo.tell("MsgVoteResp", 2, { reject: true });
    solo.tell("MsgVoteResp", 2);
    expect(solo.role).toBe("candidate");
  });

  it("needs both halves of a joint configuration", () => {
    const solo = new Solo({ conf: { voters: [1, 2, 3], votersOutgoing: [1, 4, 5] } });
    solo.node.campaign();
    solo.drain();
    solo.tell("MsgVoteResp", 2);
    solo.tell("MsgVoteResp", 3);
    expect(solo.role).toBe("candidate");
    solo.tell("MsgVoteResp", 4);
    expect(solo.role).toBe("leader");
  });

  it("is lost when one half of a joint configuration is", () => {
    const solo = new Solo({ conf: { voters: [1, 2, 3], votersOutgoing: [1, 4, 5] } });
    solo.node.campaign();
    solo.drain();
    solo.tell("MsgVoteResp", 4, { reject: true });
    solo.tell("MsgVoteResp", 5, { reject: true });
    expect(solo.role).toBe("follower");
  });

  it("does not count learners' votes", () => {
    const solo = new Solo({ conf: { voters: [1, 2, 3], learners: [4] } });
    solo.node.campaign();
    solo.drain();
    solo.tell("MsgVoteResp", 4);
    expect(solo.role).toBe("candidate");
  });

  it.each(["MsgApp", "MsgHeartbeat"] as const)("follows who sends %s in its term", (type) => {
    const solo = new Solo();
    solo.node.campaign();
    solo.drain();
    solo.tell(type, 2);
    expect(solo.status).toMatchObject({ role: "follower", leader: 2, term: 1 });
  });

  it("counts its own vote only when it is durable", () => {
    const solo = new Solo({ conf: { voters: [1] } });
    solo.node.campaign();
    const ready = solo.node.ready();
    expect(solo.role).toBe("candidate");
    expect(ready.write?.hardState).toEqual({ term: 1, vote: 1, commit: 0 });
    solo.node.persisted(ready.write as NonNullable<typeof ready.write>);
    expect(solo.role).toBe("leader");
  });

  it("ignores its own vote of an earlier term that becomes durable late", () => {
    const solo = new Solo();
    solo.node.campaign();
    const first = solo.node.ready();
    solo.tell("MsgHeartbeat", 2, { term: 2 });
    solo.node.campaign();
    expect(solo.status.term).toBe(3);
    const second = solo.node.ready();
    // (`tell` has drained the first write along with its own.)
    expect(first.write?.id).toBe(1);
    solo.node.persisted(second.write as NonNullable<typeof second.write>);
    expect(solo.logged.filter((line) => line.includes("received MsgVoteResp from 1"))).toEqual([
      "1 received MsgVoteResp from 1 at term 3",
    ]);
  });
});

describe("who must not campaign", () => {
  it("a learner", () => {
    const solo = new Solo({ conf: { voters: [2, 3], learners: [1] } });
    solo.tick(40);
    expect(solo.node.campaign()).toEqual({ accepted: false, reason: "notPromotable" });
    expect(solo.status).toMatchObject({ role: "follower", term: 0 });
  });

  it("who is no member", () => {
    const solo = new Solo({ conf: { voters: [2, 3] } });
    solo.tick(40);
    expect(solo.role).toBe("follower");
  });

  it("who has a committed configuration change to apply", () => {
    const entries = [...entriesOf([1]), changeEntry(1, 2, change("v4"))];
    const solo = new Solo({ entries, hardState: { commit: 2 } });
    expect(solo.node.campaign()).toEqual({ accepted: false, reason: "unappliedConfChange" });
    solo.step("MsgTimeoutNow", 2);
    expect(solo.role).toBe("follower");
    solo.drain();
    expect(solo.node.campaign()).toEqual({ accepted: true });
  });

  it("who waits for a snapshot to become durable", () => {
    const solo = new Solo();
    solo.step("MsgSnap", 2, {
      term: 1,
      snapshot: {
        metadata: {
          index: 5,
          term: 1,
          confState: {
            voters: [1, 2, 3],
            learners: [],
            votersOutgoing: [],
            learnersNext: [],
            autoLeave: false,
          },
        },
        data: new Uint8Array(0),
        unknown: undefined,
      },
    });
    expect(solo.node.campaign()).toEqual({ accepted: false, reason: "notPromotable" });
    solo.drain();
    expect(solo.node.campaign()).toEqual({ accepted: true });
  });
});

describe("the election timeout", () => {
  it("is drawn from [min, max) anew in every term", () => {
    const seen = new Set<number>();
    const solo = new Solo({
      random: { below: (bound) => seen.size % bound },
      minElectionTicks: 12,
      maxElectionTicks: 15,
    });
    for (let round = 0; round < 6; round++) {
      const term = solo.status.term;
      let ticks = 0;
      while (solo.status.term === term) {
        solo.tick();
        ticks++;
      }
      seen.add(ticks);
    }
    expect([...seen].sort()).toEqual([12, 13, 14]);
  });

  it("starts again with every word of the leader", () => {
    for (const type of ["MsgHeartbeat", "MsgApp"] as const) {
      const solo = new Solo({ maxElectionTicks: 11 });
      // The second is of a term that is known already.
      for (let word = 0; word < 2; word++) {
        solo.tell(type, 2, { term: 1 });
        solo.tick(9);
        expect(solo.role).toBe("follower");
      }
      solo.tick(1);
      expect(solo.role).toBe("candidate");
    }
  });
});

describe("PreVote", () => {
  it("changes neither the term nor the vote of anybody", () => {
    const asker = new Solo({ preVote: true });
    asker.node.campaign();
    const requests = asker.drain();
    expect(requests.map(({ type, term }) => [type, term])).toEqual([
      ["MsgPreVote", 1],
      ["MsgPreVote", 1],
    ]);
    expect(asker.status).toMatchObject({ role: "preCandidate", term: 0, vote: 0 });
    const asked = new Solo({ preVote: true });
    expect(vote(asked.tell("MsgPreVote", 2, { term: 1 }))).toBe("granted");
    expect(vote(asked.tell("MsgPreVote", 3, { term: 1 }))).toBe("granted");
    expect(asked.status).toMatchObject({ term: 0, vote: 0 });
  });

  it("is granted to a leader that has started again by who still takes it for the leader", () => {
    const solo = new Solo({ preVote: true });
    solo.tell("MsgHeartbeat", 2, { term: 1 });
    expect(solo.status.leader).toBe(2);
    expect(vote(solo.tell("MsgPreVote", 2, { term: 2 }))).toBe("granted");
  });

  it("of an earlier term is answered, or its sender would wait for ever", () => {
    const solo = new Solo({ preVote: true, hardState: { term: 3 } });
    const [answer] = solo.tell("MsgPreVote", 2, { term: 2 });
    expect(answer).toMatchObject({ type: "MsgPreVoteResp", to: 2, term: 3, reject: true });
  });

  it("refused with a later term moves the asker to that term", () => {
    const solo = new Solo({ preVote: true });
    solo.node.campaign();
    solo.drain();
    solo.tell("MsgPreVoteResp", 2, { term: 5, reject: true });
    expect(solo.status).toMatchObject({ role: "follower", term: 5 });
  });

  it("won leads to a real election in the next term", () => {
    const solo = new Solo({ preVote: true });
    solo.node.campaign();
    solo.drain();
    const sent = solo.tell("MsgPreVoteResp", 2, { term: 1 });
    expect(solo.status).toMatchObject({ role: "candidate", term: 1, vote: 1 });
    expect(typesOf(sent)).toEqual(["MsgVote>2", "MsgVote>3"]);
  });

  it("keeps a partitioned node from disturbing when it returns", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.isolate(3);
    cluster.tick(100);
    cluster.heal();
    cluster.tick(3);
    expect(cluster.node(1).basicStatus()).toMatchObject({ role: "leader", term: 1 });
    expect(cluster.node(3).basicStatus()).toMatchObject({ leader: 1, term: 1 });
  });

  it("is skipped by who was told to take over", () => {
    const solo = new Solo({ preVote: true });
    const sent = solo.tell("MsgTimeoutNow", 2, { term: 1 });
    expect(solo.role).toBe("candidate");
    expect(sent.every(({ type, context }) => type === "MsgVote" && context.length === 16)).toBe(
      true,
    );
  });
});

describe("CheckQuorum", () => {
  it("lets a leader without a quorum step down after an election timeout, and not before", () => {
    const solo = new Solo({ checkQuorum: true }).lead();
    solo.tick(9);
    solo.tell("MsgHeartbeatResp", 2);
    solo.tick(10);
    expect(solo.role).toBe("leader");
    solo.tick(1);
    solo.tick(10);
    expect(solo.role).toBe("follower");
  });

  it("counts voters only", () => {
    const solo = new Solo({
      checkQuorum: true,
      conf: { voters: [1, 2, 3], learners: [4, 5] },
    }).lead();
    for (let round = 0; round < 11; round++) {
      solo.tick();
      solo.tell("MsgHeartbeatResp", 4);
      solo.tell("MsgHeartbeatResp", 5);
    }
    expect(solo.role).toBe("follower");
  });

  it.each([
    { case: "who hears a leader ignores a candidate", ticks: 9, context: "", expected: "ignored" },
    { case: "unless its election timeout has passed", ticks: 10, context: "", expected: "granted" },
    { case: "or the leader itself hands over", ticks: 0, context: "transfer", expected: "granted" },
  ])("$case", ({ ticks, context, expected }) => {
    const solo = new Solo({ checkQuorum: true, minElectionTicks: 15, maxElectionTicks: 16 });
    solo.tell("MsgHeartbeat", 3, { term: 1 });
    solo.tick(ticks);
    const fields = context === "" ? {} : { context: transfer };
    expect(vote(solo.tell("MsgVote", 2, { term: 2, ...fields }))).toBe(expected);
    expect(solo.status.term).toBe(expected === "ignored" ? 1 : 2);
  });

  it("frees a node stuck at a later term: its answer to the old leader deposes it", () => {
    const solo = new Solo({ checkQuorum: true, hardState: { term: 5 } });
    for (const type of ["MsgHeartbeat", "MsgApp"] as const) {
      const [answer] = solo.tell(type, 2, { term: 3 });
      expect(answer).toMatchObject({ type: "MsgAppResp", to: 2, term: 5, reject: false, index: 0 });
    }
    const leader = new Solo({ checkQuorum: true }).lead();
    leader.tell("MsgAppResp", 2, { term: 5 });
    expect(leader.status).toMatchObject({ role: "follower", term: 5 });
  });

  it("can be turned off while running", () => {
    const solo = new Solo({ checkQuorum: true }).lead();
    solo.node.setCheckQuorum(false);
    solo.tick(60);
    expect(solo.role).toBe("leader");
  });
});

describe("forgetLeader", () => {
  it("lets a follower vote for another at once, its timer running on", () => {
    const solo = new Solo({ checkQuorum: true, maxElectionTicks: 11 });
    solo.tell("MsgHeartbeat", 3, { term: 1 });
    solo.tick(5);
    expect(solo.node.forgetLeader()).toEqual({ accepted: true });
    expect(solo.status.leader).toBe(0);
    expect(vote(solo.tell("MsgPreVote", 2, { term: 2 }))).toBe("granted");
    solo.tick(5);
    expect(solo.role).toBe("candidate");
  });

  it.each([
    { case: "by a leader", reach: (s: Solo) => s.lead(), reason: "alreadyLeader" },
    { case: "without a leader", reach: () => {}, reason: "noLeader" },
  ])("is refused $case", ({ reach, reason }) => {
    const solo = new Solo();
    reach(solo);
    expect(solo.node.forgetLeader()).toEqual({ accepted: false, reason });
  });

  it("is refused where reads go by lease", () => {
    const solo = new Solo({ checkQuorum: true, reads: "lease" });
    solo.tell("MsgHeartbeat", 3, { term: 1 });
    expect(solo.node.forgetLeader()).toEqual({ accepted: false, reason: "leaseReads" });
    expect(solo.status.leader).toBe(3);
  });
});

describe("a leader", () => {
  it("ignores a campaign of its own", () => {
    const solo = new Solo().lead();
    expect(solo.node.campaign()).toEqual({ accepted: false, reason: "alreadyLeader" });
    expect(solo.status.term).toBe(1);
  });

  it("opens its term with an empty entry and announces it to everybody", () => {
    const solo = new Solo({ log: [1, 1], conf: { voters: [1, 2, 3], learners: [4] } });
    solo.node.campaign();
    solo.drain();
    const sent = solo.tell("MsgVoteResp", 2);
    expect(typesOf(sent)).toEqual(["MsgApp>2", "MsgApp>3", "MsgApp>4"]);
    expect(sent[0]).toMatchObject({ index: 2, logTerm: 1, term: 2 });
    expect(sent[0]?.entries).toMatchObject([{ term: 2, index: 3, data: new Uint8Array(0) }]);
  });

  it("steps down when a later term speaks", () => {
    const solo = new Solo().lead();
    solo.tell("MsgAppResp", 2, { term: 7 });
    expect(solo.status).toMatchObject({ role: "follower", term: 7, leader: 0 });
  });
});
