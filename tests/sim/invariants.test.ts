/** Each invariant holds of what is right and is broken by what is wrong: one that cannot fail says nothing. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { encodeConfChange } from "../../lib/core/confchange-codec.js";
import { appendAccepted, appendMessage, voteResponse } from "../../lib/core/messages.js";
import { RawNode, raftOf } from "../../lib/core/raw-node.js";
import {
  type ConfChangeSingle,
  type ConfState,
  type Entry,
  emptyConfState,
  type Message,
  noBytes,
  type Write,
} from "../../lib/core/types.js";
import { defineMachine } from "../../lib/machines/machine.js";
import { checkWitness, type History } from "../../lib/testing/history.js";
import * as check from "../../lib/testing/invariants.js";
import * as counts from "../../lib/testing/invariants-counts.js";
import * as upkeep from "../../lib/testing/invariants-upkeep.js";
import { Ledger } from "../../lib/testing/ledger.js";
import * as live from "../../lib/testing/liveness-checks.js";
import { Image } from "../../lib/testing/record-disk.js";
import { Violation, type Watched } from "../../lib/testing/violation.js";

const base = { index: 1, term: 1 };
const conf = (...voters: number[]): ConfState => ({ ...emptyConfState, voters });
const entry = (index: number, term: number, data: number[] = [index]): Entry => ({
  index,
  term,
  type: "EntryNormal",
  data: new Uint8Array(data),
  unknown: undefined,
});
const change = (
  index: number,
  term: number,
  type: ConfChangeSingle["type"],
  nodeId: number,
): Entry => ({
  ...entry(index, term),
  ...encodeConfChange({
    transition: "auto",
    changes: [{ type, nodeId }],
    context: noBytes,
    unknown: undefined,
  }),
});
const leave = (index: number, term: number): Entry => ({
  ...entry(index, term),
  type: "EntryConfChangeV2",
  data: noBytes,
});
const writeOf = (entries: readonly Entry[], snapshot?: Write["snapshot"]): Write => ({
  id: 1,
  hardState: undefined,
  snapshot,
  entries,
  sync: true,
});

interface Setting {
  readonly ledger: Ledger;
  readonly node: Watched;
  readonly core: RawNode;
}

/** Node `id` of three with `entries` after the base, a follower in `term`; all of it on its disk. */
function follower(id: number, term: number, entries: readonly Entry[] = []): Setting {
  const confState = conf(1, 2, 3);
  const core = new RawNode(
    { id, random: seededRandom(id), snapshot: () => undefined, preVote: false },
    {
      hardState: { term, vote: 0, commit: base.index },
      confState,
      compacted: base,
      entries,
      applied: base.index,
    },
  );
  const flushed = new Image();
  flushed.compacted = base;
  flushed.entries = [...entries];
  flushed.hardState = { term, vote: 0, commit: base.index };
  const raft = raftOf(core);
  const { lastIndex } = raft.log;
  const seen = { role: raft.role, term, commit: base.index, last: lastIndex };
  const node = { id, raft, flushed, handed: lastIndex, seen };
  return { ledger: new Ledger(base, confState), node, core };
}

/** The same, leading `term` + 1 by the vote of node 2, with the entry that opens it on its disk. */
function leader(id: number, term: number, entries: readonly Entry[] = []): Setting {
  const setting = follower(id, term, entries);
  const { core, node, ledger } = setting;
  core.campaign();
  settle(setting);
  const answer = { from: 2, to: id, term: term + 1, reject: false, commit: 0, commitTerm: 0 };
  core.step(voteResponse("MsgVoteResp", answer));
  settle(setting);
  ledger.grant(term + 1, id, 2);
  node.flushed.hardState = { term: term + 1, vote: id, commit: base.index };
  node.seen = { role: "leader", term: term + 1, commit: base.index, last: node.raft.log.lastIndex };
  return setting;
}

function settle({ core, node }: Setting): void {
  while (core.hasReady()) {
    const { write, committedEntries } = core.ready();
    if (write !== undefined) {
      node.flushed.write(write);
      core.persisted(write);
    }
    for (const one of committedEntries) if (one.type !== "EntryNormal") core.applyConfChange(one);
    const last = committedEntries.at(-1);
    if (last !== undefined) core.applied(last.index);
  }
}

const broken = new Set<string>();

/** `run` breaks `invariant`, and nothing else. */
function breaks(invariant: string, run: () => unknown): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(Violation);
  expect((thrown as Violation).invariant).toBe(invariant);
  broken.add(invariant);
}

describe("elections and terms", () => {
  it("I1: two leaders of one term", () => {
    const { ledger, node } = leader(1, 1);
    check.electionSafety(ledger, node);
    check.electionSafety(ledger, node);
    breaks("I1", () => check.electionSafety(ledger, { ...node, id: 2 }));
  });

  it("I2: a term that goes back, in a life or behind what was said in another", () => {
    const { ledger, node } = follower(1, 3);
    check.termsOnlyGrow(ledger, node);
    breaks("I2", () => check.termsOnlyGrow(ledger, { ...node, seen: { ...node.seen, term: 4 } }));
    ledger.promised(1).term = 5;
    breaks("I2", () => check.termsOnlyGrow(ledger, node));
  });

  it("I3: two votes in one term", () => {
    const { ledger } = follower(1, 3);
    check.oneVotePerTerm(ledger, 1, 3, 2);
    check.oneVotePerTerm(ledger, 1, 3, 2);
    check.oneVotePerTerm(ledger, 1, 4, 3);
    breaks("I3", () => check.oneVotePerTerm(ledger, 1, 3, 3));
  });

  it("I4: what is said before it is on the disk", () => {
    const { ledger, node } = follower(1, 3, [entry(2, 3)]);
    const vote = (term: number, to: number): Message =>
      voteResponse("MsgVoteResp", { from: 1, to, term, reject: false, commit: 0, commitTerm: 0 });
    node.flushed.hardState = { term: 3, vote: 2, commit: 1 };
    check.saidIsDurable(ledger, node, vote(3, 2));
    check.saidIsDurable(ledger, node, appendAccepted(1, 2, 3, 2, 0));
    breaks("I4", () => check.saidIsDurable(ledger, node, vote(3, 3)));
    breaks("I4", () => check.saidIsDurable(ledger, node, vote(4, 2)));
    breaks("I4", () => check.saidIsDurable(ledger, node, appendAccepted(1, 2, 3, 3, 0)));
    breaks("I4", () => check.saidIsDurable(ledger, node, appendAccepted(1, 2, 4, 2, 0)));
    const request = { ...vote(4, 2), type: "MsgVote" as const };
    breaks("I4", () => check.saidIsDurable(ledger, node, request));
    breaks("I4", () => check.saidIsDurable(ledger, node, appendMessage(1, 2, 4, 1, 1, [], 1)));
  });

  it("I5: a leader by less than a quorum of voters", () => {
    const { ledger, node } = leader(1, 1);
    check.electedByQuorum(ledger, node);
    breaks("I5", () => check.electedByQuorum(new Ledger(base, conf(1, 2, 3)), node));
  });

  it("I6: a pre-vote that moves term, vote or timer", () => {
    const { node } = follower(1, 3);
    const before = check.preVoteState(node.raft);
    check.preVoteBindsNobody(before, node.raft);
    for (const moved of ["term", "vote", "electionElapsed"] as const) {
      node.raft[moved]++;
      breaks("I6", () => check.preVoteBindsNobody(before, node.raft));
      node.raft[moved]--;
    }
  });

  it("I7: a leader that is no voter", () => {
    const { ledger, node } = leader(1, 1);
    check.onlyVotersLead(ledger, node);
    breaks("I7", () => check.onlyVotersLead(ledger, { ...node, id: 4 }));
  });
});

describe("logs", () => {
  it("I8: one index and term, two entries; or two entries before it", () => {
    const { ledger, node } = follower(1, 3, [entry(2, 2), entry(3, 3)]);
    const write = (entries: Entry[], handed: number): void =>
      check.logMatching(ledger, { ...node, handed }, writeOf(entries));
    write([entry(2, 2), entry(3, 3)], 1);
    write([entry(2, 2), entry(3, 3)], 1);
    breaks("I8", () => write([entry(2, 2), entry(3, 3, [9])], 1));
    breaks("I8", () => write([entry(2, 1), entry(3, 3)], 1));
  });

  it("I9: a leader that cuts its own log", () => {
    const { ledger, node } = leader(1, 1, [entry(2, 1)]);
    check.leaderAppendOnly(ledger, node);
    const seen = { ...node.seen, last: node.raft.log.lastIndex + 1 };
    breaks("I9", () => check.leaderAppendOnly(ledger, { ...node, seen }));
  });

  it("I10: terms that fall along a log, or are of the future", () => {
    const { ledger, node } = follower(1, 3, [entry(2, 2)]);
    breaks("I10", () => check.logMatching(ledger, node, writeOf([entry(3, 1)])));
    breaks("I10", () => check.logMatching(ledger, node, writeOf([entry(3, 4)])));
  });

  it("I11: a gap, within a write or before it", () => {
    const { ledger, node } = follower(1, 3, [entry(2, 2)]);
    breaks("I11", () => check.logMatching(ledger, node, writeOf([entry(4, 3)])));
    breaks("I11", () => check.logMatching(ledger, node, writeOf([entry(3, 3), entry(5, 3)])));
  });

  it("I12: a leader without what was committed before it", () => {
    const { ledger, node } = leader(1, 2, [entry(2, 2)]);
    ledger.commit(entry(2, 2), 2);
    check.leaderCompleteness(ledger, node);
    ledger.commit(entry(3, 2), 2);
    breaks("I12", () => check.leaderCompleteness(ledger, node));
  });

  it("I13, I15: a cut through what is committed, or where nothing conflicts", () => {
    const { ledger, node } = follower(1, 3, [entry(2, 2), entry(3, 2)]);
    const cut = (entries: Entry[]): void =>
      check.cutsOnlyConflicts(ledger, node, writeOf(entries), (index) => node.raft.log.term(index));
    cut([entry(3, 3)]);
    cut([entry(4, 3)]);
    breaks("I15", () => cut([entry(3, 2)]));
    ledger.commit(entry(2, 2), 2);
    cut([entry(3, 3)]);
    breaks("I13", () => cut([entry(2, 3)]));
  });

  it("I14: an acknowledged entry that is gone after a restart, and that no leader took back", () => {
    const { ledger, node } = follower(1, 3, [entry(2, 2), entry(3, 3)]);
    upkeep.acknowledges(ledger, node, appendAccepted(1, 2, 3, 3, 0));
    upkeep.acknowledgedIsKept(ledger, 1, node.flushed);
    const shorter = new Image();
    shorter.compacted = base;
    shorter.entries = [entry(2, 2)];
    breaks("I14", () => upkeep.acknowledgedIsKept(ledger, 1, shorter));
    const other = new Image();
    other.compacted = base;
    other.entries = [entry(2, 2), entry(3, 2)];
    breaks("I14", () => upkeep.acknowledgedIsKept(ledger, 1, other));
    upkeep.takesBack(ledger, 1, writeOf([entry(4, 4)]));
    breaks("I14", () => upkeep.acknowledgedIsKept(ledger, 1, shorter));
    upkeep.takesBack(ledger, 1, writeOf([entry(3, 4)]));
    upkeep.acknowledgedIsKept(ledger, 1, shorter);
  });
});

describe("commit and apply", () => {
  it("I16: a commit index that goes back, or beyond the log", () => {
    const { ledger, node } = follower(1, 3, [entry(2, 3)]);
    check.commitInRange(ledger, node);
    breaks("I16", () =>
      check.commitInRange(ledger, { ...node, seen: { ...node.seen, commit: 2 } }),
    );
    node.raft.log.committed = 3;
    breaks("I16", () => check.commitInRange(ledger, node));
  });

  it("I17: a commit by who does not lead, of another term, or that no quorum has on disk", () => {
    const { ledger, node } = leader(1, 2, [entry(2, 2)]);
    const held = (id: number): Image | undefined => (id < 3 ? node.flushed : undefined);
    const commit = (to: number, durable = held, by: Watched = node): void => {
      node.raft.log.committed = to;
      check.committedByQuorum(ledger, by, durable);
    };
    breaks("I17", () => commit(2));
    breaks("I17", () => commit(3, (id) => (id < 2 ? node.flushed : undefined)));
    node.raft.role = "follower";
    breaks("I17", () => commit(3));
    node.raft.role = "leader";
    commit(3);
    expect(ledger.lastCommitted).toBe(3);
  });

  it("I18: a second committed sequence, or something else applied", () => {
    const { ledger, node } = follower(1, 3, [entry(2, 2), entry(3, 2)]);
    ledger.commit(entry(2, 2), 2);
    node.raft.log.committed = 2;
    check.committedByQuorum(ledger, node, () => undefined);
    check.appliedIsCommitted(ledger, 1, entry(2, 2));
    breaks("I18", () => check.appliedIsCommitted(ledger, 1, entry(2, 3)));
    breaks("I18", () => check.appliedIsCommitted(ledger, 1, entry(3, 2)));
    const other = follower(2, 3, [entry(2, 3)]);
    other.node.raft.log.committed = 2;
    breaks("I18", () => check.committedByQuorum(ledger, other.node, () => undefined));
  });

  it("I19: applied beyond the commit index, twice, or with a gap", () => {
    const { ledger, node } = follower(1, 3, [entry(2, 3)]);
    check.appliedInOrder(1, 1, entry(2, 3));
    breaks("I19", () => check.appliedInOrder(1, 2, entry(2, 3)));
    breaks("I19", () => check.appliedInOrder(1, 0, entry(2, 3)));
    node.raft.log.applied = 2;
    breaks("I19", () => check.commitInRange(ledger, node));
  });

  it("I20: two states, or two outcomes, at one index", () => {
    const { ledger } = follower(1, 3);
    for (const what of ["states", "outcomes"] as const) {
      check.equalStates(ledger, what, 1, 7, 11);
      check.equalStates(ledger, what, 2, 7, 11);
      check.equalStates(ledger, what, 2, 8, 12);
      breaks("I20", () => check.equalStates(ledger, what, 3, 7, 12));
    }
  });
});

describe("answers", () => {
  const machine = defineMachine({ name: "m", version: 1, initial: () => ({}), commands: {} });
  const { ledger } = follower(1, 3);
  const calls: History["calls"] = [
    {
      client: "00000000000000000000000000000001",
      sequence: 1,
      name: "put",
      input: undefined,
      calledAt: 0,
      answeredAt: 5,
      answer: { kind: "done", result: undefined },
    },
  ];

  it("I22: an answer to a command that is not in the committed sequence", () => {
    checkWitness(machine, ledger, { calls: [], reads: [] });
    breaks("I22", () => checkWitness(machine, ledger, { calls, reads: [] }));
  });

  it("I38: a read that is older than what was acknowledged, or of a state that never was", () => {
    upkeep.readIsFresh(1, 5, 5);
    breaks("I38", () => upkeep.readIsFresh(1, 4, 5));
    const read = { client: "", calledAt: 0, floor: 1, answeredAt: 1, index: 1, state: {} };
    checkWitness(machine, ledger, { calls: [], reads: [read] });
    breaks("I38", () =>
      checkWitness(machine, ledger, { calls: [], reads: [{ ...read, floor: 2 }] }),
    );
    const stale = { ...read, state: { odd: 1 } };
    breaks("I38", () => checkWitness(machine, ledger, { calls: [], reads: [stale] }));
  });
});

describe("what a leader keeps of others", () => {
  it("I23: a match that the other disk does not hold, or that reaches next", () => {
    const { ledger, node } = leader(1, 1);
    const { log, tracker } = node.raft;
    const two = tracker.find(2);
    if (two === undefined) throw new Error("a member");
    upkeep.progressIsTrue(ledger, node, () => node.flushed);
    two.match = two.next;
    breaks("I23", () => upkeep.progressIsTrue(ledger, node, () => undefined));
    two.match = log.lastIndex;
    two.next = log.lastIndex + 1;
    const empty = new Image();
    breaks("I23", () =>
      upkeep.progressIsTrue(ledger, node, (id) => (id === 2 ? empty : undefined)),
    );
  });

  it("I24: a window that is not empty, is empty, or holds something else than what is in flight", () => {
    const { ledger, node } = leader(1, 1);
    const two = node.raft.tracker.find(2);
    if (two === undefined) throw new Error("a member");
    const { log, term } = node.raft;
    const sent = new counts.SentAppends();
    const look = (): void => counts.windowsAreTrue(ledger, node, sent);
    look();
    // While probed, nothing is in flight.
    two.inflights.add(2, 0);
    breaks("I24", look);
    two.inflights.clear();
    two.match = base.index;
    two.becomeReplicate();
    look();
    log.append([entry(3, term, [1, 2, 3])]);
    two.next = 4;
    breaks("I24", look);
    two.inflights.add(3, 3);
    breaks("I24", look);
    sent.note(appendMessage(1, 2, term, 1, 1, [entry(2, term, []), entry(3, term, [1, 2, 3])], 1));
    look();
    two.inflights.add(3, 1);
    breaks("I24", look);
    two.inflights.clear();
    two.inflights.add(3, 2);
    breaks("I24", look);
    sent.note(appendMessage(1, 2, term + 1, 1, 1, [], 1));
    two.inflights.clear();
    two.inflights.add(3, 3);
    breaks("I24", look);
  });

  it("I25: uncommitted bytes of nothing, too few, or negative", () => {
    const { ledger, node } = leader(1, 1);
    const { raft } = node;
    expect(counts.countsExactly(raft)).toBe(true);
    const look = (exactly: boolean) => (): void => counts.uncommittedIsTrue(ledger, node, exactly);
    look(true)();
    raft.log.append([entry(3, raft.term, [1, 2, 3])]);
    raft.uncommittedBytes = 3;
    look(true)();
    raft.uncommittedBytes = 4;
    breaks("I25", look(false));
    raft.uncommittedBytes = 2;
    look(false)();
    breaks("I25", look(true));
    raft.uncommittedBytes = -1;
    breaks("I25", look(false));
    const inherited = leader(1, 1, [entry(2, 1)]);
    expect(counts.countsExactly(inherited.node.raft)).toBe(false);
  });

  it("I26: an append with a hole, or after another entry than it says", () => {
    const { ledger, node } = leader(1, 1);
    const append = (logTerm: number, entries: Entry[]): void =>
      upkeep.appendIsContiguous(ledger, node, appendMessage(1, 2, 2, 1, logTerm, entries, 1));
    append(1, [entry(2, 2), entry(3, 2)]);
    breaks("I26", () => append(1, [entry(2, 2), entry(4, 2)]));
    breaks("I26", () => append(1, [entry(3, 2)]));
    breaks("I26", () => append(2, [entry(2, 2)]));
  });
});

describe("membership", () => {
  it("I27: neighbours, or a leader and a newer configuration, whose quorums do not meet", () => {
    const ledger = new Ledger(base, conf(1, 2, 3));
    ledger.commit(change(2, 1, "ConfChangeRemoveNode", 1), 1);
    upkeep.neighboursIntersect(ledger, conf(1, 2, 3));
    breaks("I27", () => upkeep.neighboursIntersect(ledger, conf(1, 4, 5)));
    const { node } = leader(1, 4);
    upkeep.leadersIntersect(ledger, node, []);
    ledger.commit(change(3, 2, "ConfChangeRemoveNode", 3), 2);
    breaks("I27", () => upkeep.leadersIntersect(ledger, node, []));
    // One that is elected in a term that was over then may work by a configuration that is over too.
    const { node: late } = leader(1, 1);
    upkeep.leadersIntersect(ledger, late, []);
    const known = new Ledger(base, conf(1, 2, 3));
    const other = follower(2, 3, [change(2, 1, "ConfChangeRemoveNode", 1)]);
    upkeep.leadersIntersect(known, node, [other.node]);
    other.core.step({
      ...appendMessage(3, 2, 3, 2, 1, [change(3, 3, "ConfChangeRemoveNode", 3)], 3),
    });
    settle(other);
    expect(other.node.raft.confIndex).toBe(3);
    breaks("I27", () => upkeep.leadersIntersect(known, node, [other.node]));
  });

  it("whoever is behind goes by an older configuration, and its quorum is needed too", () => {
    const ledger = new Ledger(base, conf(1, 2, 3));
    ledger.commit(change(2, 1, "ConfChangeAddNode", 4), 1);
    ledger.commit(change(3, 1, "ConfChangeRemoveNode", 1), 1);
    ledger.commit(change(4, 1, "ConfChangeRemoveNode", 2), 1);
    const voters = (...applied: number[]): string[] =>
      [...new Set(ledger.confsInUse(applied).map((one) => one.voters.join()))].sort();
    expect(voters(4, 4)).toEqual(["2,3,4", "3,4"]);
    expect(voters(4, 1)).toEqual(["1,2,3", "1,2,3,4", "2,3,4", "3,4"]);
  });

  it("I28: two changes under way, or one before what was inherited is applied", () => {
    const one = change(3, 2, "ConfChangeAddNode", 4);
    const { ledger, node } = leader(1, 1);
    node.raft.log.append([one]);
    // The entry that opens the term may be open still: it is the leader's own.
    upkeep.oneChangeAtATime(ledger, node, writeOf([one]));
    node.raft.log.append([{ ...one, index: 4 }]);
    breaks("I28", () => upkeep.oneChangeAtATime(ledger, node, writeOf([one])));
    const inherited = leader(1, 2, [entry(2, 2)]);
    const early = change(4, 3, "ConfChangeAddNode", 4);
    inherited.node.raft.log.append([early]);
    breaks("I28", () => upkeep.oneChangeAtATime(ledger, inherited.node, writeOf([early])));
  });

  it("I29: a configuration that is not what the entries up to there make", () => {
    const { ledger, node } = follower(1, 3);
    upkeep.configurationIsTrue(ledger, node);
    const other = new Ledger(base, conf(1, 2));
    breaks("I29", () => upkeep.configurationIsTrue(other, node));
  });

  it("I30, I33: a snapshot with another configuration, of another term, or of what is not applied", () => {
    const { ledger } = follower(1, 3);
    ledger.commit(entry(2, 2), 2);
    const metadata = { index: 2, term: 2, confState: conf(1, 2, 3) };
    upkeep.snapshotIsTrue(ledger, 1, metadata, 2);
    breaks("I30", () =>
      upkeep.snapshotIsTrue(ledger, 1, { ...metadata, confState: conf(1, 2) }, 2),
    );
    breaks("I33", () => upkeep.snapshotIsTrue(ledger, 1, metadata, 1));
    breaks("I33", () => upkeep.snapshotIsTrue(ledger, 1, { ...metadata, term: 1 }, 2));
    breaks("I33", () => upkeep.snapshotIsTrue(ledger, 1, { ...metadata, index: 3 }, 3));
  });

  it("I31: a joint configuration that is left twice", () => {
    const joint = { ...conf(1, 2), votersOutgoing: [1, 2, 3], autoLeave: true };
    const ledger = new Ledger(base, joint);
    upkeep.leavesJointOnce(ledger, leave(2, 2));
    ledger.commit(leave(2, 2), 2);
    breaks("I31", () => upkeep.leavesJointOnce(ledger, leave(3, 2)));
    upkeep.leavesJointOnce(ledger, change(3, 2, "ConfChangeAddNode", 3));
  });
});

describe("snapshots, disks and bounds", () => {
  const metadata = { index: 5, term: 1, confState: conf(1) };

  it("I34: a log that is forgotten beyond the snapshot on disk", () => {
    const image = new Image();
    breaks("I34", () => upkeep.compactedIsCovered(1, 1, image));
    image.snapshot = { metadata, data: noBytes };
    upkeep.compactedIsCovered(1, 5, image);
    breaks("I34", () => upkeep.compactedIsCovered(1, 6, image));
  });

  it("I35: a snapshot that takes something back", () => {
    upkeep.installMovesForward(1, 5, metadata);
    breaks("I35", () => upkeep.installMovesForward(1, 6, metadata));
  });

  it("I36: a store gives back what nobody wrote", () => {
    const { ledger } = follower(1, 3);
    ledger.learn(entry(2, 2), 1);
    check.storedWasWritten(ledger, 1, entry(2, 2));
    breaks("I36", () => check.storedWasWritten(ledger, 1, entry(2, 3)));
    breaks("I36", () => check.storedWasWritten(ledger, 1, entry(2, 2, [9])));
    breaks("I36", () => check.storedWasWritten(ledger, 1, entry(3, 2)));
  });

  it("I37: a word after the disk failed", () => {
    upkeep.silentAfterFailure(1, false, "MsgAppResp");
    upkeep.silentAfterFailure(1, true, "MsgTimeoutNow");
    breaks("I37", () => upkeep.silentAfterFailure(1, true, "MsgAppResp"));
  });

  it("I40: queues beyond their bounds", () => {
    const { ledger, node } = leader(1, 1);
    const { raft } = node;
    const look = (): void => counts.withinBounds(ledger, node);
    look();
    raft.forwardedReads = new Array(raft.config.readsMax + 1).fill(noBytes);
    breaks("I40", look);
    raft.forwardedReads = [];
    for (let i = 0; i <= raft.config.readsMax; i++) raft.reads.add(1, undefined, 0);
    breaks("I40", look);
    raft.reads.clear();
    const two = raft.tracker.find(2);
    for (let i = 0; i < raft.config.inflightAppendsMax; i++) two?.inflights.add(2 + i, 0);
    look();
    two?.inflights.limit(1_000_000);
    two?.inflights.add(9_999, 0);
    breaks("I40", look);
    two?.inflights.clear();
    raft.log.append([entry(3, 2, [1]), entry(4, 2, [1])]);
    raft.uncommittedBytes = 2;
    look();
    Object.assign(raft.config, { uncommittedBytesMax: 1 });
    breaks("I40", look);
    raft.uncommittedBytes = 1;
    look();
    Object.assign(raft.config, { inflightBytesMax: 2, appendBytesMax: 2 });
    two?.inflights.add(5, 4);
    look();
    two?.inflights.clear();
    // Each was let in while the window still had room, and each is larger than any append may be.
    for (let at = 0; at < 5; at++) two?.inflights.add(6 + at, at === 4 ? 9 : 0);
    breaks("I40", look);
  });
});

describe("once everything is healed", () => {
  const member = (id: number, about: Partial<live.MemberView> = {}): live.MemberView => ({
    id,
    running: true,
    follows: 1,
    term: 3,
    applied: 9,
    stateHash: () => 77,
    ...about,
  });
  const led: live.LeaderView = {
    id: 1,
    term: 3,
    committed: 9,
    lastIndex: 9,
    joint: false,
    isVoter: (id) => id <= 3,
    progressOf: (id) => (id <= 3 ? "replicate" : undefined),
  };
  const core = (
    leader: Partial<live.LeaderView> = {},
    members: readonly live.MemberView[] = [member(1), member(2)],
    waiting = 0,
  ): live.CoreView => ({ leader: { ...led, ...leader }, members, waiting });
  const unmet = (name: string, view: live.CoreView): void => {
    expect(live.firstUnmet(view)).toBe(name);
    broken.add(name);
  };

  it("nothing is missing where all is well", () => {
    expect(live.firstUnmet(core())).toBeUndefined();
    expect(live.firstUnmet(core({}, [member(1), member(4, { follows: 0, applied: 0 })]))).toBe(
      undefined,
    );
  });

  it("L1: nobody leads, a voter follows somebody else or is down, or the leader does not stay", () => {
    unmet("L1", { ...core(), leader: undefined });
    unmet("L1", core({}, [member(1), member(2, { follows: 3 })]));
    unmet("L1", core({}, [member(1), member(2, { running: false })]));
    live.leaderStays(1, 3, true, 3);
    breaks("L1", () => live.leaderStays(1, 3, false, 3));
    breaks("L1", () => live.leaderStays(1, 3, true, 4));
  });

  it("L2: a call whose end nobody knows", () => unmet("L2", core({}, undefined, 1)));

  it("L3: something is not committed, or not applied by all, or states differ", () => {
    unmet("L3", core({ lastIndex: 10 }));
    unmet("L3", core({}, [member(1), member(2, { applied: 8 })]));
    live.statesAgree(
      core({}, [member(1), member(2), member(3, { applied: 8, stateHash: () => 5 })]),
    );
    breaks("L3", () => live.statesAgree(core({}, [member(1), member(2, { stateHash: () => 5 })])));
  });

  it("L4: a joint configuration remains", () => unmet("L4", core({ joint: true })));

  it("L5: somebody is probed, or sent snapshots, for ever", () => {
    unmet("L5", core({ progressOf: (id) => (id === 2 ? "probe" : "replicate") }));
    unmet("L5", core({ progressOf: () => "snapshot" }));
  });

  it("L6: an outsider raises the term", () => {
    live.outsidersRaiseNoTerm(3, core());
    live.outsidersRaiseNoTerm(3, core({}, [member(1), member(4, { term: 9 })]));
    breaks("L6", () => live.outsidersRaiseNoTerm(3, core({}, [member(1), member(2, { term: 4 })])));
  });

  it("L7: terms go on growing", () => {
    expect(live.termsMax(50, 100, 60)).toBe(10);
    expect(live.termsMax(400, 100, 60)).toBe(60);
    live.termsSettle(4, 7, 3);
    breaks("L7", () => live.termsSettle(4, 8, 3));
  });

  it("L8: a storm of messages", () => {
    live.noStorm(live.messagesMax(3, 100), 3, 100);
    breaks("L8", () => live.noStorm(live.messagesMax(3, 100) + 1, 3, 100));
  });
});

describe("the list", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/SIMULATOR.md"), "utf8");
  const rows = [...page.matchAll(/^\| ([IL]\d+) \| `(\w+)` \|/gm)].map(([, id, name]) => [
    id,
    name,
  ]);
  const left = [...page.matchAll(/^\| ([IL]\d+) \| — \|/gm)].map(([, id]) => id as string);
  const named = new Map(rows as [string, string][]);
  const all = [
    ...Array.from({ length: 40 }, (_, i) => `I${i + 1}`),
    ...Array.from({ length: 8 }, (_, i) => `L${i + 1}`),
  ];

  it("has each of I1–I40 and L1–L8: a function, or the reason why not", () => {
    expect([...named.keys(), ...left].sort()).toEqual([...all].sort());
  });

  it("names functions that there are", () => {
    const there = { ...check, ...counts, ...upkeep, ...live, checkWitness };
    const missing = [...named.values()].filter((name) => !(name in there));
    expect(missing).toEqual([]);
  });

  it("was seen broken above, function by function", () => {
    expect([...named.keys()].filter((id) => !broken.has(id))).toEqual([]);
  });
});
