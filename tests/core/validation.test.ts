import { describe, expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { bareMessage } from "../../lib/core/messages.js";
import type { Message, MessageType } from "../../lib/core/types.js";
import { confStateInOrder } from "../../lib/core/validation.js";
import { bytes, confStateOf } from "./cluster.js";
import { entriesOf, Solo, snapshotOf } from "./solo.js";

const refused = (reason: string) => ({ accepted: false, reason });

describe("a message from outside is refused", () => {
  it.each<MessageType>([
    "MsgHup",
    "MsgBeat",
    "MsgUnreachable",
    "MsgSnapStatus",
    "MsgCheckQuorum",
    "MsgForgetLeader",
    "MsgStorageAppend",
    "MsgStorageAppendResp",
    "MsgStorageApply",
    "MsgStorageApplyResp",
  ])("when it is local: %s", (type) => {
    expect(new Solo().lead().step(type, 2)).toEqual(refused("localType"));
  });

  it("when its type is none", () => {
    expect(new Solo().step("MsgWhat" as MessageType, 2)).toEqual(refused("localType"));
    expect(new Solo().step("constructor" as MessageType, 2)).toEqual(refused("localType"));
  });

  it.each<MessageType>([
    "MsgApp",
    "MsgAppResp",
    "MsgVote",
    "MsgVoteResp",
    "MsgPreVote",
    "MsgPreVoteResp",
    "MsgHeartbeat",
    "MsgHeartbeatResp",
    "MsgSnap",
    "MsgTimeoutNow",
    "MsgReadIndexResp",
  ])("when it speaks in our own name: %s", (type) => {
    const solo = new Solo({ conf: { voters: [1, 2, 3, 4, 5] } }).lead([2, 3]);
    solo.propose("a");
    const before = solo.status;
    expect(solo.step(type, 1, { index: 2, snapshot: snapshotOf(9, 1) })).toEqual(
      refused("ownName"),
    );
    expect(solo.status).toEqual(before);
  });

  it("unless it is a request of ours that comes back", () => {
    const solo = new Solo().lead();
    solo.ack(2);
    expect(solo.step("MsgProp", 1, { term: 0, entries: entriesOf([0]) }).accepted).toBe(true);
    expect(solo.step("MsgReadIndex", 1, { term: 0, entries: entriesOf([0]) }).accepted).toBe(true);
    expect(solo.step("MsgTransferLeader", 1)).toEqual(refused("alreadyLeader"));
  });

  it.each<MessageType>([
    "MsgAppResp",
    "MsgHeartbeatResp",
    "MsgVoteResp",
    "MsgPreVoteResp",
    "MsgReadIndexResp",
  ])("when it answers and its sender is no member: %s", (type) => {
    expect(new Solo().lead().step(type, 9, { entries: entriesOf([0]) })).toEqual(
      refused("unknownPeer"),
    );
  });

  it("when it is for somebody else", () => {
    expect(new Solo().step("MsgHeartbeat", 2, { to: 3, term: 1 })).toEqual(refused("notForUs"));
  });

  const entry = entriesOf([1])[0] as ReturnType<typeof entriesOf>[number];
  it.each<{ what: string; type: MessageType; fields: Partial<Message> }>([
    { what: "a term that elections cannot reach", type: "MsgVote", fields: { term: 2 ** 52 } },
    { what: "a term far beyond ours", type: "MsgHeartbeat", fields: { term: 2 ** 32 + 1 } },
    { what: "a term that is no number", type: "MsgVote", fields: { term: Number.NaN } },
    { what: "a negative term", type: "MsgHeartbeat", fields: { term: -1 } },
    { what: "no term where one belongs", type: "MsgApp", fields: { term: 0 } },
    { what: "a term where none belongs", type: "MsgProp", fields: { term: 1, entries: [entry] } },
    { what: "an index beyond safe integers", type: "MsgApp", fields: { term: 1, index: 2 ** 53 } },
    { what: "a fraction", type: "MsgAppResp", fields: { term: 1, index: 1.5 } },
    { what: "nothing to propose", type: "MsgProp", fields: { term: 0 } },
    { what: "a read without its context", type: "MsgReadIndex", fields: { term: 0 } },
    {
      what: "entries with a gap",
      type: "MsgApp",
      fields: { term: 1, entries: [{ ...entry, index: 2 }] },
    },
    {
      what: "entries not after prevIndex",
      type: "MsgApp",
      fields: { term: 1, index: 4, logTerm: 1, entries: [entry] },
    },
    {
      what: "entries of a term later than its own",
      type: "MsgApp",
      fields: { term: 1, entries: [{ ...entry, term: 2 }] },
    },
    {
      what: "entries whose terms fall",
      type: "MsgApp",
      fields: { term: 5, entries: entriesOf([3, 2]) },
    },
    {
      what: "entries at the end of numbers",
      type: "MsgApp",
      fields: { term: 1, index: 2 ** 53 - 1, entries: [{ ...entry, index: 2 ** 53 }] },
    },
    { what: "no snapshot", type: "MsgSnap", fields: { term: 1 } },
    {
      what: "a snapshot of a later term",
      type: "MsgSnap",
      fields: { term: 1, snapshot: snapshotOf(5, 2) },
    },
    {
      what: "a snapshot without voters",
      type: "MsgSnap",
      fields: { term: 1, snapshot: snapshotOf(5, 1, { voters: [] }) },
    },
    {
      what: "a snapshot where a voter is a learner",
      type: "MsgSnap",
      fields: { term: 1, snapshot: snapshotOf(5, 1, { voters: [1], learners: [1] }) },
    },
  ])("when it has $what", ({ type, fields }) => {
    const solo = new Solo();
    expect(solo.step(type, 2, fields)).toEqual(refused("malformed"));
    expect(solo.node.hasReady()).toBe(false);
  });

  it("when it comes from nobody", () => {
    for (const from of [0, -1, 2 ** 53, 1.5]) {
      expect(new Solo().step("MsgHeartbeat", from, { term: 1 })).toEqual(refused("malformed"));
    }
  });

  it("when it acknowledges what the leader does not have", () => {
    const solo = new Solo().lead();
    expect(solo.step("MsgAppResp", 2, { index: 2 })).toEqual(refused("malformed"));
    expect(solo.peer(2).match).toBe(0);
  });
});

describe("whatever a message says", () => {
  it("a node of any role throws nothing, and keeps its invariants", () => {
    const random = seededRandom(7);
    const pick = <T>(values: readonly T[]): T => values[random.below(values.length)] as T;
    const numbers = [
      0,
      1,
      2,
      3,
      4,
      5,
      9,
      2 ** 31,
      2 ** 52 - 1,
      2 ** 53,
      -1,
      1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ];
    const small = [0, 1, 2, 3, 4, 5];
    const types: MessageType[] = [
      "MsgProp",
      "MsgApp",
      "MsgAppResp",
      "MsgVote",
      "MsgVoteResp",
      "MsgSnap",
      "MsgHeartbeat",
      "MsgHeartbeatResp",
      "MsgTransferLeader",
      "MsgTimeoutNow",
      "MsgReadIndex",
      "MsgReadIndexResp",
      "MsgPreVote",
      "MsgPreVoteResp",
    ];
    for (let run = 0; run < 300; run++) {
      const solo = new Solo({
        log: [1, 1, 2],
        hardState: { commit: 1 },
        checkQuorum: run % 2 === 0,
        preVote: run % 3 === 0,
        reportCommit: true,
      });
      if (run % 4 === 0) solo.node.campaign();
      for (let at = 0; at < 30; at++) {
        const from = run % 5 === 0 ? numbers : small;
        const terms = [pick(small), pick(small), pick(small)].sort((a, b) => a - b);
        const index = pick(from);
        const message: Message = {
          ...bareMessage(pick(types), { from: pick([1, 2, 3, 4, 0]), to: 1, term: pick(from) }),
          index,
          logTerm: pick(from),
          commit: pick([0, 0, 1, 2, 3]),
          commitTerm: pick(small),
          entries: pick([[], entriesOf(terms, index + 1), entriesOf([pick(small)], pick(small))]),
          snapshot: pick([undefined, snapshotOf(pick(small), pick(small))]),
          reject: pick([true, false]),
          rejectHint: pick(from),
          context: pick([
            new Uint8Array(0),
            bytes("12345678"),
            bytes("1"),
            bytes("CampaignTransfer"),
          ]),
          requestSnapshot: pick([0, 0, 0, 3]),
          priority: pick([0, -3, 4]),
        };
        solo.node.step(message);
        if (random.below(3) === 0) solo.drain();
        if (random.below(5) === 0) solo.node.tick();
        const { commit, applied, lastIndex } = solo.status;
        expect(applied <= commit && commit <= lastIndex, `run ${run}, message ${at}`).toBe(true);
      }
    }
  });
});

describe("a store that went back in time", () => {
  it("is noticed when the leader speaks of entries we acknowledged and do not have: the node stops for good", () => {
    const solo = new Solo({ log: [1, 1] });
    expect(solo.step("MsgHeartbeat", 2, { term: 1, commit: 3 })).toEqual(refused("stopped"));
    expect(solo.node.stopped).toMatchObject({ code: "STORE_WENT_BACK", outcome: "none" });
    expect(solo.node.stopped?.message).toContain("3");
    expect(solo.status.stopped).toBe(solo.node.stopped);
  });

  it("after which it neither acknowledges nor votes nor proposes", () => {
    const solo = new Solo({ log: [1, 1] });
    solo.step("MsgVote", 3, { term: 2, index: 9, logTerm: 1 });
    solo.node.readIndex(bytes("r"));
    solo.step("MsgHeartbeat", 2, { term: 2, commit: 3 });
    expect(solo.drain()).toEqual([]);
    expect(solo.writes).toEqual([]);
    for (const type of ["MsgVote", "MsgPreVote", "MsgApp", "MsgHeartbeat"] as const) {
      expect(solo.step(type, 2, { term: 9 })).toEqual(refused("stopped"));
    }
    expect(solo.node.propose(bytes("x"))).toEqual(refused("stopped"));
    expect(solo.node.campaign()).toEqual(refused("stopped"));
    expect(solo.node.readIndex(bytes("s"))).toEqual(refused("stopped"));
    solo.tick(50);
    expect(solo.sent).toEqual([]);
    expect(solo.node.hasReady()).toBe(false);
  });

  it("owes nothing any more for writes that were under way", () => {
    const solo = new Solo({ log: [1, 1] });
    solo.step("MsgVote", 3, { term: 2, index: 9, logTerm: 1 });
    const { write } = solo.node.ready();
    solo.step("MsgHeartbeat", 2, { term: 2, commit: 3 });
    expect(solo.node.persisted(write as NonNullable<typeof write>)).toEqual([]);
  });
});

describe("a configuration in a snapshot", () => {
  it.each([
    { name: "voters and learners", state: confStateOf([1, 2], [3]), holds: true },
    {
      name: "a joint one",
      state: {
        ...confStateOf([1], [4]),
        votersOutgoing: [1, 2],
        learnersNext: [2],
        autoLeave: true,
      },
      holds: true,
    },
    { name: "a voter twice", state: confStateOf([1, 1]), holds: false },
    { name: "an id that is none", state: confStateOf([0]), holds: false },
    {
      name: "a learner to be that is no outgoing voter",
      state: { ...confStateOf([1]), learnersNext: [2] },
      holds: false,
    },
    {
      name: "an outgoing voter that is a learner",
      state: { ...confStateOf([1], [2]), votersOutgoing: [2] },
      holds: false,
    },
    {
      name: "autoLeave without being joint",
      state: { ...confStateOf([1]), autoLeave: true },
      holds: false,
    },
  ])("with $name: $holds", ({ state, holds }) => {
    expect(confStateInOrder(state)).toBe(holds);
  });
});
