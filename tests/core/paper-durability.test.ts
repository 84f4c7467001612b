/**
 * What the dissertation says beyond the paper's §5: what must be durable before it is said (§3.8), how far a follower commits (§3.5),
 * one membership change at a time (§4.1), and what a snapshot may replace (§5.3). One test per claim.
 */
import { describe, expect, test } from "vitest";
import { must } from "../../lib/base/assert.js";
import type { ConfChangeV2, Message, Term, Write } from "../../lib/core/types.js";
import { confState, message, snapshot } from "../codec/records.js";
import { bytes, entriesOf, Member, Network, type Start, votersOnly } from "./network.js";

function one(start: Partial<Start> = {}): Member {
  return new Member(1, { confState: votersOnly(1, 2, 3), ...start });
}

function hear(member: Member, heard: Message): Message[] {
  member.node.step(heard);
  return member.take();
}

const types = (messages: readonly Message[]): string[] => messages.map(({ type }) => type);

const append = (
  term: Term,
  prevIndex: number,
  prevTerm: Term,
  terms: Term[],
  commit = 0,
): Message =>
  message({
    type: "MsgApp",
    from: 2,
    to: 1,
    term,
    index: prevIndex,
    logTerm: prevTerm,
    entries: entriesOf(terms, prevIndex + 1),
    commit,
  });

function said(member: Member, act: () => void): { before: string[]; after: string[] } {
  member.diskStalls = true;
  act();
  const before = types(member.take());
  member.diskRecovers();
  return { before, after: types(member.take()) };
}

describe("§3.8 what is said only once it is durable", () => {
  test("§3.8 a follower's acknowledgement", () => {
    const member = one();
    expect(said(member, () => member.node.step(append(1, 0, 0, [1])))).toEqual({
      before: [],
      after: ["MsgAppResp"],
    });
  });

  test("§3.8 a vote", () => {
    const member = one();
    const request = message({ type: "MsgVote", from: 2, to: 1, term: 1 });
    expect(said(member, () => member.node.step(request))).toEqual({
      before: [],
      after: ["MsgVoteResp"],
    });
  });

  test("§3.8 a request for votes: a term that is lost in a crash could be won twice", () => {
    const member = one();
    expect(said(member, () => member.node.campaign())).toEqual({
      before: [],
      after: ["MsgVote", "MsgVote"],
    });
  });

  test("§3.8 a vote for oneself", () => {
    const member = new Member(1, { confState: votersOnly(1) });
    member.diskStalls = true;
    member.node.campaign();
    member.take();
    expect(member.role).toBe("candidate");
    member.diskRecovers();
    expect(member.role).toBe("leader");
  });

  test("§3.8 a single voter commits nothing before its disk has it", () => {
    const member = new Member(1, { confState: votersOnly(1) });
    member.node.campaign();
    member.take();
    const { commit } = member;
    member.diskStalls = true;
    member.node.propose(bytes("x"));
    member.take();
    expect(member.commit).toBe(commit);
    member.diskRecovers();
    member.take();
    expect(member.commit).toBe(commit + 1);
  });

  test("§3.8 what was not written before a crash was never said: the term, the vote and the entries are gone together", () => {
    const member = one();
    member.diskStalls = true;
    hear(member, message({ type: "MsgVote", from: 2, to: 1, term: 1 }));
    expect(hear(member, append(1, 0, 0, [1]))).toEqual([]);
    member.diskStalls = false;
    member.restart();
    expect(member.term).toBe(0);
    expect(types(hear(member, message({ type: "MsgVote", from: 3, to: 1, term: 1 })))).toEqual([
      "MsgVoteResp",
    ]);
    expect(member.disk.hardState).toMatchObject({ term: 1, vote: 3 });
  });

  test("§3.8 entries replaced while they were being written do not count when the write is done", () => {
    const member = one();
    member.diskStalls = true;
    hear(member, append(1, 0, 0, [1, 1]));
    hear(member, append(2, 0, 0, [2]));
    hear(member, append(3, 0, 0, [3, 3]));
    expect(member.node.status().unstableCount).toBe(2);
    member.diskRecovers();
    const acknowledged = member.take().filter(({ term }) => term === 3);
    expect(acknowledged.map(({ type, index }) => [type, index])).toEqual([["MsgAppResp", 2]]);
    expect(member.log).toEqual([
      [1, 3],
      [2, 3],
    ]);
    expect(member.node.status().unstableCount).toBe(0);
  });

  test("§3.8 … nor do entries that were replaced and came back: the disk will drop them once more", () => {
    const { node } = one();
    const write = (heard: Message): Write => {
      node.step(heard);
      return must(node.ready().write, "entries are to be written");
    };
    const first = write(append(1, 0, 0, [1, 1]));
    const other = write(append(2, 0, 0, [2]));
    const again = write(append(3, 0, 0, [1, 1]));
    for (const done of [first, other]) {
      const answers = node.persisted(done);
      expect(answers.filter(({ term }) => term === 3)).toEqual([]);
      expect(node.status().unstableCount).toBe(2);
    }
    expect(node.persisted(again)).toMatchObject([{ type: "MsgAppResp", term: 3, index: 2 }]);
    expect(node.status().unstableCount).toBe(0);
  });
});

describe("§3.5 how far a follower commits", () => {
  test.each([
    // It holds terms 1, 2, 2; the leader of term 3 says its commit index is 3.
    [1, [], 1],
    [1, [3], 2],
    [1, [3, 3], 3],
    [0, [], 0],
  ])(
    "§3.5 up to the last entry it knows to be the leader's: sent after %d terms %j: %d",
    (prevIndex, sent: Term[], committed) => {
      const member = one({ hardState: { term: 2 }, log: [1, 2, 2] });
      hear(member, append(3, prevIndex, prevIndex === 0 ? 0 : 1, sent, 3));
      expect(member.commit).toBe(committed);
      expect(member.applied).toHaveLength(committed);
    },
  );

  test("§3.5 a heartbeat commits what was acknowledged", () => {
    const member = one();
    hear(member, append(1, 0, 0, [1, 1]));
    hear(member, message({ type: "MsgHeartbeat", from: 2, to: 1, term: 1, commit: 2 }));
    expect(member.commit).toBe(2);
  });

  test("§3.5 an append that comes late takes nothing back", () => {
    const member = one();
    hear(member, append(1, 0, 0, [1, 1, 1], 3));
    expect(hear(member, append(1, 0, 0, [1]))).toMatchObject([{ type: "MsgAppResp", index: 3 }]);
    expect(member.log).toHaveLength(3);
  });
});

describe("§4 membership", () => {
  const add = (nodeId: number): ConfChangeV2 => ({
    transition: "auto",
    changes: [{ type: "ConfChangeAddNode", nodeId }],
    context: bytes(""),
    unknown: undefined,
  });

  /** Three voters, of which 1 leads and has applied everything. */
  function led(): Network {
    const network = Network.of(3);
    network.campaign(1);
    network.propose(1, "x");
    return network;
  }

  test("§4.1 one change at a time: the next is refused until the first is applied", () => {
    const network = led();
    const node = network.node(1);
    expect(node.proposeConfChange(add(4)).accepted).toBe(true);
    expect(node.proposeConfChange(add(5))).toEqual({
      accepted: false,
      reason: "pendingConfChange",
    });
    network.settle();
    expect(node.status().confState.voters).toEqual([1, 2, 3, 4]);
    expect(node.proposeConfChange(add(5)).accepted).toBe(true);
  });

  test("§4.1 (its erratum of 2015) a new leader proposes no change before it has applied what it inherited", () => {
    const network = led();
    const lost = network.lose(({ to }) => to === 1);
    network.node(1).proposeConfChange(add(4));
    network.settle();
    lost();
    network.lose(({ type }) => type === "MsgAppResp");
    network.campaign(2);
    expect(network.leaders()).toContain(2);
    expect(network.node(2).proposeConfChange(add(5))).toEqual({
      accepted: false,
      reason: "pendingConfChange",
    });
  });

  test("§4.1 a change takes effect where it is applied, and counts from then on", () => {
    const network = led();
    network.node(1).proposeConfChange(add(4));
    network.settle();
    // Of four voters, two are half.
    network.isolate(3, 4);
    const { commit } = network.member(1);
    network.propose(1, "y");
    expect(network.member(1).commit).toBe(commit);
  });

  test("§4.2.2 who is not a voter does not campaign", () => {
    const learner = one({ confState: confState({ voters: [2, 3], learners: [1] }) });
    expect(learner.node.campaign()).toMatchObject({ accepted: false });
    for (let tick = 0; tick < 40; tick++) learner.node.tick();
    expect(learner.take()).toEqual([]);
    expect(learner).toMatchObject({ role: "follower", term: 0 });
  });

  test("§4.3 joint: an election needs a majority of the old and of the new voters", () => {
    const joint = confState({ voters: [1, 4, 5], votersOutgoing: [1, 2, 3] });
    const grants = (...ids: number[]): Member => {
      const member = one({ confState: joint });
      member.node.campaign();
      member.take();
      for (const from of ids) {
        hear(member, message({ type: "MsgVoteResp", from, to: 1, term: 1 }));
      }
      return member;
    };
    expect(grants(4, 5).role).toBe("candidate");
    expect(grants(2, 3).role).toBe("candidate");
    expect(grants(2, 4).role).toBe("leader");
  });

  test("§4.3 joint: an entry is committed once both majorities hold it", () => {
    const joint = confState({ voters: [1, 4, 5], votersOutgoing: [1, 2, 3] });
    const member = one({ confState: joint });
    member.node.campaign();
    member.take();
    for (const from of [2, 4]) hear(member, message({ type: "MsgVoteResp", from, to: 1, term: 1 }));
    const acknowledge = (from: number): number => {
      hear(member, message({ type: "MsgAppResp", from, to: 1, term: 1, index: 1 }));
      return member.commit;
    };
    expect([acknowledge(4), acknowledge(5), acknowledge(2)]).toEqual([0, 0, 1]);
  });

  test("§4.3 a candidate with a committed change it has not applied waits", () => {
    // It has the change at index 1, committed, and was not handed it out to apply: its write is stalled.
    const member = one();
    member.diskStalls = true;
    const change = {
      term: 1,
      index: 1,
      type: "EntryConfChangeV2",
      data: bytes(""),
      unknown: undefined,
    } as const;
    hear(
      member,
      message({ type: "MsgApp", from: 2, to: 1, term: 1, entries: [change], commit: 1 }),
    );
    expect(member.commit).toBe(1);
    expect(member.node.campaign()).toEqual({ accepted: false, reason: "unappliedConfChange" });
  });
});

describe("§5.3 snapshots", () => {
  const installed = (index: number, term: Term): Message =>
    message({
      type: "MsgSnap",
      from: 2,
      to: 1,
      term: 3,
      snapshot: snapshot({ index, term, confState: votersOnly(1, 2, 3) }, bytes("s")),
    });

  test("§5.3 one that is no news is ignored, and the follower says how far it is", () => {
    const member = one({ hardState: { term: 3, commit: 2 }, log: [1, 2, 3] });
    const answers = hear(member, installed(1, 1));
    expect(answers).toMatchObject([{ type: "MsgAppResp", index: 2, reject: false }]);
    expect(member.log).toHaveLength(3);
    expect(member.disk.snapshot).toBeUndefined();
  });

  test("§5.3 one that the log already contains only moves the commit index", () => {
    const member = one({ hardState: { term: 3 }, log: [1, 2, 3] });
    hear(member, installed(2, 2));
    expect(member.commit).toBe(2);
    expect(member.log).toHaveLength(3);
    expect(member.disk.snapshot).toBeUndefined();
  });

  test("§5.3 one that conflicts replaces the whole log", () => {
    const member = one({ hardState: { term: 3 }, log: [1, 1, 1] });
    hear(member, installed(2, 2));
    expect(member.log).toEqual([]);
    expect(member.disk).toMatchObject({ compacted: { index: 2, term: 2 } });
    expect(member.commit).toBe(2);
  });

  test("§5.3 a follower too far behind is brought up by a snapshot and the log from there", () => {
    const network = Network.of(3);
    network.campaign(1);
    const back = network.isolate(3);
    for (const text of ["a", "b", "c"]) network.propose(1, text);
    network.member(1).compact(0);
    network.propose(1, "d");
    back();
    network.tick(3);
    expect(network.member(3).disk.snapshot?.metadata.index).toBe(4);
    expect(network.member(3).log).toEqual([[5, 1]]);
    expect(network.member(3).commit).toBe(5);
  });
});
