/** Rooms that nobody administers: who votes as peers come and go (DESIGN §8), on real cores and logs. */
import { describe, expect, it } from "vitest";
import { browserLimits } from "../../lib/autopilot/rules.js";
import { encodeCommand } from "../../lib/machines/command.js";
import { defineMachine } from "../../lib/machines/machine.js";
import { clientId } from "../../lib/machines/seed.js";
import { Cluster, type Member } from "./cluster.js";

interface Tally {
  count: number;
}
const tally = defineMachine({
  name: "tally",
  version: 1,
  initial: (): Tally => ({ count: 0 }),
  commands: {
    add(state, { by }: { by: number }) {
      state.count += by;
      return state.count;
    },
  },
});

/** A founder and two newcomers, all voting. */
async function three(
  authors: readonly [string, string, string] = ["kitchen", "kitchen", "kitchen"],
): Promise<{ cluster: Cluster<Tally>; members: readonly Member<Tally>[] }> {
  const cluster = new Cluster<Tally>(tally);
  await cluster.open(1, { founds: true, author: authors[0] });
  await cluster.until("a leader", () => cluster.leader?.id === 1);
  await cluster.open(2, { author: authors[1] });
  await cluster.open(3, { author: authors[2] });
  await cluster.until("three voters", () => agreed(cluster, [1, 2, 3]));
  return { cluster, members: [...cluster.members] };
}

/** Every peer that runs knows exactly these voters. */
function agreed(cluster: Cluster<Tally>, voters: readonly number[]): boolean {
  return cluster.members.every(
    ({ peer }) =>
      peer.confState.votersOutgoing.length === 0 &&
      String(peer.confState.voters) === String(voters),
  );
}

let sequence = 0;
function add(by: number): Uint8Array {
  return encodeCommand({
    client: clientId(new Uint8Array(16).fill(++sequence)),
    sequence: 1,
    low: 1,
    since: 0,
    author: "kitchen",
    machineVersion: 1,
    name: "add",
    input: { by },
  });
}

/** Submits through `member` until every running peer has it. */
async function added(cluster: Cluster<Tally>, member: Member<Tally>, by: number): Promise<void> {
  const command = add(by);
  const before = member.peer.replicated.replica.state.count;
  member.peer.submit(command);
  await cluster.until(`${by} more everywhere`, () =>
    cluster.members.every(({ peer }) => peer.replicated.replica.state.count === before + by),
  );
}

describe("a room's members", () => {
  it("are learners first, then three voters with the founder's state", async () => {
    const { cluster } = await three();
    for (const { peer } of cluster.members) {
      expect([...peer.replicated.table.members.keys()].sort()).toEqual([1, 2, 3]);
    }
  });

  it.each([
    ["the leader", 0],
    ["a follower", 1],
  ])("of %s, commands of one task cost the messages of one", async (_name, at) => {
    const { cluster, members } = await three();
    const { peer } = members[at] as Member<Tally>;
    const cost = async (commands: number): Promise<number> => {
      const { count } = peer.replicated.replica.state;
      const before = cluster.network.sent;
      for (let n = 0; n < commands; n++) expect(peer.submit(add(1))).toBe(true);
      // Time stands still, so that no heartbeat counts.
      do await new Promise((resolve) => setImmediate(resolve));
      while (cluster.network.deliver());
      expect(peer.replicated.replica.state.count).toBe(count + commands);
      return cluster.network.sent - before;
    };
    const single = await cost(1);
    expect(single).toBeGreaterThan(4);
    expect(await cost(50)).toBe(single);
  });

  it("send what they were given before they say goodbye", async () => {
    const { cluster, members } = await three();
    const [first, , last] = members as [Member<Tally>, Member<Tally>, Member<Tally>];
    last.peer.submit(add(7));
    last.peer.goodbye();
    cluster.kill(last);
    await cluster.until("7 more", () => first.peer.replicated.replica.state.count === 7);
  });

  it("all take commands: a follower's go to the leader, who stamps them", async () => {
    const { cluster, members } = await three();
    for (const [i, member] of members.entries()) await added(cluster, member, i + 1);
    expect(members[0]?.peer.replicated.replica.now).toBeGreaterThan(0);
  });

  it("go on when the leader's page is gone without a word", async () => {
    const { cluster, members } = await three();
    const [first, second] = members as [Member<Tally>, Member<Tally>];
    await added(cluster, first, 5);
    cluster.kill(first);
    await cluster.until("another leader", () => cluster.leader !== undefined, 5_000);
    await added(cluster, second, 7);
    expect(second.peer.replicated.replica.state.count).toBe(12);
  });

  it("elect at once when the leader says goodbye", async () => {
    const { cluster, members } = await three();
    const [first] = members as [Member<Tally>];
    first.peer.goodbye();
    await cluster.step();
    cluster.kill(first);
    await cluster.until("another leader", () => cluster.leader !== undefined, 500);
  });

  it("shrink from three voters to one when a voter stays away, and grow again", async () => {
    const { cluster, members } = await three();
    const [, , third] = members as [Member<Tally>, Member<Tally>, Member<Tally>];
    cluster.kill(third);
    await cluster.until("one voter", () => agreed(cluster, [1]), browserLimits.deadAfterMs + 5_000);
    expect(cluster.members[0]?.peer.replicated.table.removed).toEqual([3]);
    await cluster.open(4, { author: "kitchen" });
    await cluster.until("three voters", () => agreed(cluster, [1, 2, 4]));
  });

  it("keep a voter that reloads within the grace", async () => {
    const { cluster, members } = await three();
    const third = members[2] as Member<Tally>;
    third.peer.goodbye();
    cluster.kill(third);
    await cluster.pass(browserLimits.goodbyeGraceMs / 2);
    const again = await cluster.open(3, { medium: third.medium });
    await cluster.pass(browserLimits.goodbyeGraceMs * 2);
    expect(agreed(cluster, [1, 2, 3])).toBe(true);
    expect(again.removals).toEqual([]);
  });

  it("replace a voter that left by a learner in one change", async () => {
    const { cluster, members } = await three();
    await cluster.open(4, { author: "kitchen" });
    await cluster.until("a learner", () => cluster.leader?.confState.learners.includes(4) === true);
    await cluster.pass(1_000);
    const third = members[2] as Member<Tally>;
    third.peer.goodbye();
    await cluster.step();
    cluster.kill(third);
    await cluster.until("a new set", () => agreed(cluster, [1, 2, 4]), 10_000);
  });

  it("tell a peer that comes back after its removal, and take it in under its new id alone", async () => {
    const { cluster, members } = await three();
    const third = members[2] as Member<Tally>;
    cluster.kill(third);
    await cluster.until("one voter", () => agreed(cluster, [1]));
    const ghost = await cluster.open(3, { medium: third.medium });
    await cluster.until("the news", () => ghost.removals.length > 0);
    await cluster.pass(5_000);
    expect(cluster.leader?.confState.learners).not.toContain(3);
    expect(cluster.leader?.confState.voters).not.toContain(3);
  });

  it("spread the votes over the profiles", async () => {
    const { cluster } = await three();
    await cluster.open(4, { author: "phone" });
    await cluster.until(
      "the phone votes",
      () => cluster.leader?.confState.voters.includes(4) === true,
    );
    await cluster.until("three of them", () => cluster.leader?.confState.voters.length === 3);
  });
});

describe("adopted peers", () => {
  it("form a quorum with the tab that runs them, then are retired", async () => {
    const { cluster, members } = await three();
    const [first, second, third] = members as [Member<Tally>, Member<Tally>, Member<Tally>];
    await added(cluster, first, 3);
    for (const member of [second, third]) cluster.kill(member);
    await cluster.pass(5_000);
    expect(cluster.leader).toBeUndefined();
    await cluster.open(2, { medium: second.medium, adopted: true, author: "kitchen" });
    await cluster.open(3, { medium: third.medium, adopted: true, author: "kitchen" });
    await cluster.until("one voter", () => String(first.peer.confState.voters) === "1");
    await cluster.until("it leads", () => cluster.leader?.id === 1);
    expect([...first.peer.replicated.table.removed].sort()).toEqual([2, 3]);
    expect(first.peer.submit(add(4))).toBe(true);
    await cluster.until("the command", () => first.peer.replicated.replica.state.count === 7);
  });

  it("hand the only vote on to the tab that runs them", async () => {
    const cluster = new Cluster<Tally>(tally);
    const first = await cluster.open(1, { founds: true, author: "kitchen" });
    await cluster.until("a leader", () => cluster.leader?.id === 1);
    const second = await cluster.open(2, { author: "kitchen" });
    await cluster.until("caught up", () => second.peer.confState.learners.includes(2));
    cluster.kill(first);
    await cluster.pass(3_000);
    await cluster.open(1, { medium: first.medium, adopted: true, author: "kitchen" });
    await cluster.until("the vote is ours", () => String(second.peer.confState.voters) === "2");
    await cluster.until("and so is the lead", () => cluster.leader?.id === 2);
  });
});

describe("a majority", () => {
  it("is needed: one of two profiles waits, both together go on", async () => {
    const { cluster, members } = await three(["tablet", "phone", "phone"]);
    const [first, second, third] = members as [Member<Tally>, Member<Tally>, Member<Tally>];
    await added(cluster, first, 1);
    for (const member of [first, second, third]) cluster.kill(member);
    const again = await cluster.open(1, { medium: first.medium, author: "tablet" });
    await cluster.pass(20_000);
    expect(cluster.leader).toBeUndefined();
    expect(again.peer.submit(add(1))).toBe(false);
    await cluster.open(2, { medium: second.medium, author: "phone" });
    await cluster.until("a leader", () => cluster.leader !== undefined, 10_000);
    await added(cluster, again, 1);
    expect(again.peer.replicated.replica.state.count).toBe(2);
  });
});

describe("a peer opened again", () => {
  it("has the state and the members its log held", async () => {
    const cluster = new Cluster<Tally>(tally);
    const first = await cluster.open(1, { founds: true });
    await cluster.until("a leader", () => cluster.leader?.id === 1);
    const second = await cluster.open(2);
    await cluster.until("a learner", () => second.peer.confState.learners.includes(2));
    await added(cluster, second, 9);
    await cluster.pass(1_000);
    const { applied } = first.peer.node.status();
    cluster.kill(first);
    const again = await cluster.open(1, { medium: first.medium });
    expect(again.peer.node.status().applied).toBe(applied);
    expect(again.peer.replicated.replica.state.count).toBe(9);
    expect([...again.peer.replicated.table.members.keys()].sort()).toEqual([1, 2]);
  });

  it("founds nothing when its store was wiped: it waits as a newcomer", async () => {
    const cluster = new Cluster<Tally>(tally);
    const blank = await cluster.open(5);
    await cluster.pass(20_000);
    expect(blank.peer.isMember).toBe(false);
    expect(cluster.leader).toBeUndefined();
  });
});

describe("what comes from elsewhere", () => {
  it("is counted and dropped: garbage, foreign hellos, commands that do not decode", async () => {
    const { cluster } = await three();
    const [first] = cluster.members as [Member<Tally>];
    const frames = [
      new Uint8Array(0),
      new Uint8Array([9, 1, 2, 3]),
      new Uint8Array([1, 255, 255, 255, 255]),
      new Uint8Array([2, 0xc1]),
      new Uint8Array([2, 0x80]),
    ];
    for (const frame of frames) cluster.network.send(2, 1, frame);
    await cluster.pass(500);
    expect(first.peer.refused).toBe(frames.length);
    expect(first.failures).toEqual([]);
    await added(cluster, first, 1);
  });
});

describe("a learner", () => {
  it("knows no leader once the only voter is silent, and knows it again when it is back", async () => {
    const cluster = new Cluster<Tally>(tally);
    const first = await cluster.open(1, { founds: true, author: "tablet" });
    await cluster.until("a leader", () => cluster.leader?.id === 1);
    const second = await cluster.open(2, { author: "phone" });
    await cluster.until("a learner", () => second.peer.leader === 1);
    cluster.network.mute(1, 2);
    await cluster.until("silence", () => second.peer.leader === undefined, 5_000);
    cluster.network.unmute(1, 2);
    await cluster.until("a voice", () => second.peer.leader === 1, 5_000);
    first.peer.goodbye();
    await cluster.step();
    expect(second.peer.leader).toBeUndefined();
  });
});
