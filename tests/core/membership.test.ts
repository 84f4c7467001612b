import { describe, expect, it } from "vitest";
import { bytes, Cluster, confStateOf } from "./cluster.js";
import { change, changeEntry, entriesOf, Solo, typesOf } from "./solo.js";

/** A leader of 1, 2, 3 whose first entry is committed and applied. */
function settled(start: ConstructorParameters<typeof Solo>[0] = {}): Solo {
  const solo = new Solo(start).lead();
  for (const id of start.conf?.voters ?? [2, 3]) if (id !== 1) solo.ack(id);
  return solo;
}

describe("a change of membership", () => {
  // What is proposed in a cluster of 1, 2, 3; what it is until left; what it is in the end.
  it.each([
    { steps: "v4", transition: "auto", ends: { voters: [1, 2, 3, 4] } },
    { steps: "l4", transition: "auto", ends: { voters: [1, 2, 3], learners: [4] } },
    { steps: "r3", transition: "auto", ends: { voters: [1, 2] } },
    { steps: "u3", transition: "auto", ends: { voters: [1, 2, 3] } },
    { steps: "l3", transition: "auto", ends: { voters: [1, 2], learners: [3] } },
    {
      steps: "v4 r3",
      transition: "auto",
      joint: { votersOutgoing: [1, 2, 3], autoLeave: true },
      ends: { voters: [1, 2, 4] },
    },
    {
      steps: "v4",
      transition: "jointImplicit",
      joint: { voters: [1, 2, 3, 4], votersOutgoing: [1, 2, 3], autoLeave: true },
      ends: { voters: [1, 2, 3, 4] },
    },
    {
      steps: "l2 l3",
      transition: "auto",
      joint: { voters: [1], votersOutgoing: [1, 2, 3], learnersNext: [2, 3] },
      ends: { voters: [1], learners: [2, 3] },
    },
  ] as const)("$steps ($transition) is carried out", ({ steps, transition, ends, ...rest }) => {
    const cluster = new Cluster(4, {}, [], new Map());
    // Node 4 exists, but is no member yet.
    for (const id of [1, 2, 3, 4]) {
      cluster.peer(id).disk.confState = confStateOf([1, 2, 3]);
      cluster.restart(id);
    }
    cluster.elect(1);
    const seen: unknown[] = [];
    const applyConfChange = cluster.node(1).applyConfChange.bind(cluster.node(1));
    cluster.node(1).applyConfChange = (entry) => {
      const state = applyConfChange(entry);
      seen.push(state);
      return state;
    };
    expect(cluster.node(1).proposeConfChange(change(steps, transition)).accepted).toBe(true);
    cluster.settle();
    if ("joint" in rest) expect(seen[0]).toMatchObject(rest.joint as object);
    expect(seen).toHaveLength("joint" in rest ? 2 : 1);
    expect(cluster.node(1).status().confState).toEqual({ ...confStateOf([]), ...ends });
  });

  it("explicit: stays joint until it is left by a change without steps", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.node(1).proposeConfChange(change("r3", "jointExplicit"));
    cluster.settle();
    expect(cluster.node(1).status().confState).toMatchObject({
      voters: [1, 2],
      votersOutgoing: [1, 2, 3],
      autoLeave: false,
    });
    cluster.propose(1, "meanwhile");
    cluster.node(1).proposeConfChange(change(""));
    cluster.settle();
    expect(cluster.node(1).status().confState).toEqual(confStateOf([1, 2]));
  });

  it("V1 is one step, and counts its context as the application's", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    const v1 = {
      id: 7,
      type: "ConfChangeRemoveNode",
      nodeId: 3,
      context: bytes("why"),
      unknown: undefined,
    } as const;
    expect(cluster.node(1).proposeConfChange(v1).accepted).toBe(true);
    cluster.settle();
    expect(cluster.node(1).status().confState).toEqual(confStateOf([1, 2]));
  });

  it("takes effect where it is applied, and is not applied twice", () => {
    const solo = settled();
    solo.node.proposeConfChange(change("v4"));
    solo.drain();
    expect(solo.status.confState.voters).toEqual([1, 2, 3]);
    solo.ack(2);
    expect(solo.status.confState.voters).toEqual([1, 2, 3, 4]);
    expect(() => solo.node.applyConfChange(changeEntry(1, 99, change("v5")))).toThrow(
      /not the configuration entry/,
    );
  });

  it("that the application vetoes changes nothing", () => {
    const solo = settled();
    solo.node.proposeConfChange(change("v4"));
    const ready = solo.node.ready();
    solo.node.persisted(ready.write as NonNullable<typeof ready.write>);
    solo.step("MsgAppResp", 2, { index: 2 });
    const [entry] = solo.node.ready().committedEntries;
    expect(() => solo.node.applied(2)).toThrow(/applyConfChange was not called/);
    const state = solo.node.applyConfChange(entry as NonNullable<typeof entry>, "refuse");
    expect(state).toEqual(confStateOf([1, 2, 3]));
    solo.node.applied(2);
    // Done with: the next may come.
    expect(solo.node.proposeConfChange(change("v5")).accepted).toBe(true);
  });

  it("that cannot be carried out changes nothing on any replica, instead of ending it", () => {
    const entries = [
      ...entriesOf([1]),
      changeEntry(1, 2, change("r1 r2 r3")),
      changeEntry(1, 3, change("v4")),
    ];
    const solo = new Solo({ entries, hardState: { commit: 3 } });
    solo.drain();
    expect(solo.status.confState.voters).toEqual([1, 2, 3, 4]);
    const garbage = { ...changeEntry(1, 2, change("v9")), data: Uint8Array.from([255, 255, 255]) };
    const other = new Solo({ entries: [...entriesOf([1]), garbage], hardState: { commit: 2 } });
    other.drain();
    expect(other.status).toMatchObject({ applied: 2, confState: confStateOf([1, 2, 3]) });
  });
});

describe("a learner", () => {
  it("receives everything, and neither votes in commits nor campaigns, until it is promoted", () => {
    const cluster = new Cluster(3, {}, [3]);
    cluster.elect(1);
    cluster.isolate(2);
    cluster.node(1).propose(bytes("a"));
    cluster.settle();
    expect(cluster.node(1).basicStatus().commit).toBe(1);
    cluster.heal();
    cluster.tick(2);
    expect(cluster.peer(3).commands).toEqual(["a"]);
    expect(cluster.node(3).campaign()).toEqual({ accepted: false, reason: "notPromotable" });
    cluster.node(1).proposeConfChange(change("v3"));
    cluster.settle();
    cluster.isolate(1);
    cluster.tick(15, [2, 3]);
    expect(cluster.leaders()).not.toEqual([1]);
    expect(cluster.node(3).status().confState).toEqual(confStateOf([1, 2, 3]));
  });

  it("that was a voter votes on in the outgoing half until that is left", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.node(1).proposeConfChange(change("l3", "jointExplicit"));
    cluster.settle();
    expect(cluster.node(3).status().confState).toMatchObject({ learners: [], learnersNext: [3] });
    cluster.isolate(2);
    // Of the outgoing half 1 and 3 are a majority, of the incoming one 1 alone is not.
    cluster.node(1).propose(bytes("x"));
    cluster.settle();
    const { commit, lastIndex } = cluster.node(1).basicStatus();
    expect(commit).toBe(lastIndex - 1);
    cluster.heal();
    cluster.tick(2);
    cluster.node(1).proposeConfChange(change(""));
    cluster.settle();
    expect(cluster.node(3).status().confState).toEqual(confStateOf([1, 2], [3]));
  });
});

describe("a change is refused, and says why", () => {
  it.each([
    { name: "while another is not applied", prior: "v4", steps: "v5", reason: "pendingConfChange" },
    { name: "that removes all voters", prior: "", steps: "r1 r2 r3", reason: "invalidConfChange" },
    {
      name: "that leaves a configuration that is not joint",
      prior: "",
      steps: "",
      reason: "notJoint",
    },
  ])("$name", ({ prior, steps, reason }) => {
    const solo = settled();
    if (prior !== "") solo.node.proposeConfChange(change(prior));
    const { lastIndex } = solo.status;
    expect(solo.node.proposeConfChange(change(steps))).toEqual({ accepted: false, reason });
    expect(solo.status.lastIndex).toBe(lastIndex);
  });

  it("with steps while the configuration is joint", () => {
    const solo = settled();
    solo.node.proposeConfChange(change("v4", "jointExplicit"));
    solo.drain();
    solo.ack(2);
    expect(solo.node.proposeConfChange(change("v5"))).toEqual({
      accepted: false,
      reason: "mustLeaveJoint",
    });
  });

  it("by a new leader until everything it inherited is applied: there may be a change in it", () => {
    const entries = [...entriesOf([1]), changeEntry(1, 2, change("v4"))];
    const solo = new Solo({ entries }).lead();
    expect(solo.node.proposeConfChange(change("v5"))).toEqual({
      accepted: false,
      reason: "pendingConfChange",
    });
    solo.ack(2);
    expect(solo.status.confState.voters).toEqual([1, 2, 3, 4]);
    expect(solo.node.proposeConfChange(change("v5")).accepted).toBe(true);
  });

  it("forwarded by a follower, as an empty entry that keeps its place", () => {
    const solo = settled();
    const conf = changeEntry(0, 0, change("v4"));
    solo.tell("MsgProp", 2, { term: 0, entries: [conf, conf, ...entriesOf([0])] });
    expect(solo.writes.at(-1)?.entries.map(({ type, data }) => [type, data.length > 0])).toEqual([
      ["EntryConfChangeV2", true],
      ["EntryNormal", false],
      ["EntryNormal", true],
    ]);
  });

  it("unless validation is off", () => {
    const solo = settled({ validateConfChanges: false });
    solo.node.proposeConfChange(change("v4"));
    expect(solo.node.proposeConfChange(change("v5")).accepted).toBe(true);
  });
});

describe("leaving a joint configuration by itself", () => {
  const joint = { voters: [1, 2], votersOutgoing: [1, 2, 3], autoLeave: true };

  it("waits until the change that entered it is applied", () => {
    const solo = settled();
    solo.node.proposeConfChange(change("r3", "jointImplicit"));
    solo.propose("a");
    solo.ack(2, 2);
    expect(
      solo.sent.filter(({ entries }) =>
        entries.some(({ type, data }) => type === "EntryConfChangeV2" && data.length === 0),
      ).length,
    ).toBeGreaterThan(0);
    const terms = solo.status.lastIndex;
    solo.ack(2, terms);
    solo.ack(3, terms);
    expect(solo.status.confState).toEqual(confStateOf([1, 2]));
  });

  it("is proposed once everything inherited is applied, by the new leader", () => {
    const solo = new Solo({ log: [1, 1, 1], conf: joint, hardState: { commit: 1 } }).lead();
    // Its own first entry is at 4; until 3 is applied nothing is proposed.
    expect(solo.status.lastIndex).toBe(4);
    solo.tell("MsgAppResp", 2, { index: 4 });
    expect(solo.status).toMatchObject({ applied: 4, lastIndex: 5 });
    solo.ack(2, 5);
    expect(solo.status.confState).toEqual(confStateOf([1, 2]));
  });

  it("is proposed once, and not while an earlier entry is applied that may be such a change", () => {
    const start = { log: [1, 1, 1], conf: joint, hardState: { commit: 1 }, applyBytesMax: 1 };
    const solo = new Solo(start).lead();
    solo.step("MsgAppResp", 2, { index: 4 });
    // One entry at a time: 2 and 3 are inherited.
    for (const [applied, lastIndex] of [
      [2, 4],
      [3, 5],
      [4, 5],
    ] as const) {
      expect(solo.node.ready().committedEntries.map(({ index }) => index)).toEqual([applied]);
      solo.node.applied(applied);
      expect(solo.status.lastIndex).toBe(lastIndex);
    }
  });

  it("is not proposed by a leader that hands over; its successor does", () => {
    const solo = new Solo({ conf: joint }).lead();
    solo.node.transferLeader(2);
    solo.ack(2, 1);
    expect(solo.status).toMatchObject({ applied: 1, lastIndex: 1 });
    expect(solo.logged).toContainEqual(
      expect.stringContaining("not initiating automatic transition"),
    );
  });
});

describe("when the configuration changes", () => {
  it("a smaller quorum commits what a larger one did not", () => {
    const solo = settled({ conf: { voters: [1, 2, 3, 4] } });
    solo.node.proposeConfChange(change("r4"));
    solo.drain();
    solo.propose("a");
    // 2 and 3 hold the change; of the command only 2 does.
    solo.ack(2, 3);
    solo.ack(3, 2);
    expect(solo.status).toMatchObject({ commit: 3 });
  });

  it("newcomers count as active until they have had time to answer, and are probed at once", () => {
    const solo = settled({ checkQuorum: true });
    solo.node.proposeConfChange(change("v4"));
    solo.drain();
    solo.ack(2);
    expect(solo.peer(4)).toMatchObject({ recentActive: true, state: "probe" });
    expect(typesOf(solo.sent)).toContain("MsgApp>4");
  });

  it.each([
    { name: "removed", steps: "r1" },
    { name: "demoted to learner", steps: "l1" },
  ])("a leader that is $name steps down", ({ steps }) => {
    const solo = settled();
    solo.node.proposeConfChange(change(steps));
    solo.drain();
    solo.ack(2);
    solo.ack(3);
    expect(solo.role).toBe("follower");
    expect(solo.node.propose(bytes("x"))).toEqual({ accepted: false, reason: "noLeader" });
  });

  it("a leader that is removed stays one where stepping down is off, and refuses proposals", () => {
    const solo = settled({ stepDownOnRemoval: false });
    solo.node.proposeConfChange(change("r1"));
    solo.drain();
    solo.ack(2);
    solo.ack(3);
    expect(solo.role).toBe("leader");
    expect(solo.node.propose(bytes("x"))).toEqual({ accepted: false, reason: "notMember" });
  });

  it("a leader that is not itself a voter does not count itself", () => {
    const solo = settled({ stepDownOnRemoval: false });
    solo.node.proposeConfChange(change("l1"));
    solo.drain();
    solo.ack(2);
    solo.ack(3);
    solo.propose("a");
    solo.ack(2);
    expect(solo.status.commit).toBe(2);
    solo.ack(3);
    expect(solo.status.commit).toBe(3);
  });

  it("a configuration entry that a snapshot has overtaken changes nothing", () => {
    const entries = [...entriesOf([1]), changeEntry(1, 2, change("v9"))];
    const solo = new Solo({ entries, hardState: { commit: 2 } });
    const [, late] = solo.node.ready().committedEntries;
    solo.step("MsgSnap", 2, {
      snapshot: {
        metadata: { index: 7, term: 1, confState: confStateOf([1, 2, 3, 4]) },
        data: bytes(""),
        unknown: undefined,
      },
    });
    expect(solo.node.applyConfChange(late as NonNullable<typeof late>)).toEqual(
      confStateOf([1, 2, 3, 4]),
    );
    solo.node.applied(2);
    solo.drain();
    expect(solo.status).toMatchObject({ applied: 7, confState: confStateOf([1, 2, 3, 4]) });
  });
});

describe("a transfer of leadership", () => {
  it("tells an up-to-date target at once, and refuses proposals meanwhile", () => {
    const solo = settled();
    expect(solo.node.transferLeader(2)).toEqual({ accepted: true });
    expect(typesOf(solo.drain())).toEqual(["MsgTimeoutNow>2"]);
    expect(solo.node.propose(bytes("x"))).toEqual({ accepted: false, reason: "transferring" });
  });

  it("first brings a slow target up to date", () => {
    const solo = new Solo().lead();
    solo.ack(3);
    solo.node.transferLeader(2);
    expect(typesOf(solo.drain())).not.toContain("MsgTimeoutNow>2");
    expect(typesOf(solo.ack(2))).toContain("MsgTimeoutNow>2");
  });

  it("is given up after an election timeout", () => {
    const solo = settled();
    solo.node.transferLeader(2);
    solo.tick(9);
    expect(solo.status.leadTransferee).toBe(2);
    solo.tick(1);
    expect(solo.status.leadTransferee).toBe(0);
    expect(solo.node.propose(bytes("x")).accepted).toBe(true);
  });

  it("has its election timeout from when it was asked for", () => {
    const solo = settled();
    solo.tick(9);
    solo.node.transferLeader(2);
    solo.tick(9);
    expect(solo.status.leadTransferee).toBe(2);
  });

  it.each([
    { name: "to the same target changes nothing", again: 2, reason: "inProgress", target: 2 },
    { name: "to another takes its place", again: 3, reason: undefined, target: 3 },
    { name: "to the leader itself gives it up", again: 1, reason: "alreadyLeader", target: 0 },
  ])("asked for again $name", ({ again, reason, target }) => {
    const solo = settled();
    solo.node.transferLeader(2);
    const outcome = solo.node.transferLeader(again);
    expect(outcome).toEqual(
      reason === undefined ? { accepted: true } : { accepted: false, reason },
    );
    expect(solo.status.leadTransferee).toBe(target);
  });

  it.each([
    { name: "a learner", target: 4 },
    { name: "a stranger", target: 9 },
  ])("to $name is refused", ({ target }) => {
    const solo = settled({ conf: { voters: [1, 2, 3], learners: [4] } });
    expect(solo.node.transferLeader(target)).toEqual({ accepted: false, reason: "badTarget" });
  });

  it("is given up when its target is no voter any more", () => {
    const solo = settled();
    solo.node.proposeConfChange(change("r2"));
    solo.drain();
    solo.node.transferLeader(2);
    solo.ack(3);
    expect(solo.status).toMatchObject({ leadTransferee: 0, confState: confStateOf([1, 3]) });
    expect(solo.node.propose(bytes("x")).accepted).toBe(true);
  });

  it("asked of a follower goes to the leader, and of who knows none is refused", () => {
    const solo = new Solo();
    expect(solo.node.transferLeader(1)).toEqual({ accepted: false, reason: "noLeader" });
    solo.tell("MsgHeartbeat", 2, { term: 1 });
    solo.node.transferLeader(1);
    expect(solo.drain()).toMatchObject([{ type: "MsgTransferLeader", from: 1, to: 2, term: 1 }]);
  });

  it("works through leases and without a pre-vote, and can be made back again", () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    for (const [from, to] of [
      [1, 2],
      [2, 1],
      [1, 3],
    ] as const) {
      cluster.node(from).transferLeader(to);
      cluster.settle();
      expect(cluster.leaders()).toEqual([to]);
    }
  });

  it("is ignored by who is told to take over and may not, or is at it already", () => {
    const learner = new Solo({ conf: { voters: [2, 3], learners: [1] } });
    learner.tell("MsgTimeoutNow", 2, { term: 1 });
    expect(learner.role).toBe("follower");
    const candidate = new Solo();
    candidate.node.campaign();
    candidate.drain();
    expect(candidate.tell("MsgTimeoutNow", 2)).toEqual([]);
    expect(candidate.status.term).toBe(1);
  });
});
