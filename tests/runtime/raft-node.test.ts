/** RaftNode: what each request ends with, through followers, elections and closing. */
import { afterEach, describe, expect, it } from "vitest";
import { hex } from "../../lib/base/bytes.js";
import { bytes, type NodeChange, openCluster, type TestCluster } from "./cluster.js";

let cluster: TestCluster;
afterEach(async () => {
  await cluster.closeAll();
  expect(cluster.clock.timers()).toBe(0);
});

async function three(change?: NodeChange): Promise<TestCluster> {
  cluster = await openCluster([1, 2, 3], change === undefined ? {} : { change });
  return cluster;
}

describe("a proposal", () => {
  it("resolves with the machine's result, its index and its term", async () => {
    const { node } = await (await three()).leader();
    const first = await cluster.settled(node.propose(bytes("a")));
    const second = await cluster.settled(node.propose(bytes("b")));
    expect([first.result, second.result]).toEqual([1, 2]);
    expect(second.index).toBe(first.index + 1);
    expect(second.term).toBe(node.status().term);
  });

  it("of several commands appends them together, with a result each", async () => {
    const { node } = await (await three()).leader();
    const applied = await cluster.settled(node.proposeAll(["a", "b", "c"].map(bytes)));
    expect(applied.map(({ result }) => result)).toEqual([1, 2, 3]);
  });

  it("of a follower goes to the leader, and its result is the follower's own", async () => {
    const { node, machine } = await (await three()).follower();
    const { result } = await cluster.settled(node.propose(bytes("a")));
    expect([result, machine.commands]).toEqual([1, ["a"]]);
  });

  it("of a follower that does not forward is refused", async () => {
    const { node } = await (await three({ forward: false })).follower();
    await expect(node.propose(bytes("a"))).rejects.toMatchObject({
      code: "NOT_LEADER",
      outcome: "none",
    });
  });

  it.each([
    ["empty", new Uint8Array(0), "BAD_INPUT"],
    ["above the bound", new Uint8Array(1024 * 1024 + 1), "TOO_LARGE"],
  ])("that is %s is refused before it goes anywhere", async (_, command, code) => {
    const { node } = await (await three()).leader();
    await expect(node.propose(command)).rejects.toMatchObject({ code, outcome: "none" });
  });

  it("whose leader is cut off is dropped for certain once another leader has committed", async () => {
    const { node } = await (await three()).leader();
    const others = [1, 2, 3].filter((id) => id !== node.id);
    cluster.network.partition([node.id], others);
    const lost = node.propose(bytes("lost"));
    lost.catch(() => {});
    await cluster.until(() => others.some((id) => cluster.get(id).node.isLeader));
    cluster.network.heal();
    await expect(cluster.settled(lost)).rejects.toMatchObject({
      code: "PROPOSAL_DROPPED",
      reason: "overwritten",
      outcome: "none",
    });
    await cluster.settled((await cluster.leader()).node.propose(bytes("next")));
    await cluster.until(() => cluster.get(node.id).machine.commands.length === 1);
    expect(cluster.get(node.id).machine.commands).toEqual(["next"]);
  });

  it("whose leader is cut off for good ends as unknown", async () => {
    const { node } = await (await three()).leader();
    cluster.network.partition(
      [node.id],
      [1, 2, 3].filter((id) => id !== node.id),
    );
    await expect(cluster.settled(node.propose(bytes("lost")))).rejects.toMatchObject({
      code: "LEADERSHIP_LOST",
      outcome: "unknown",
    });
  });

  it("can be given up: before it is sent nothing happens", async () => {
    const { node } = await (await three()).follower();
    cluster.network.partition(
      [node.id],
      [...cluster.nodes.keys()].filter((id) => id !== node.id),
    );
    await cluster.until(() => node.leader === 0);
    const abort = new AbortController();
    const waiting = node.propose(bytes("never"), { signal: abort.signal });
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED", outcome: "none" });
    cluster.network.heal();
    await cluster.settled((await cluster.leader()).node.propose(bytes("next")));
    expect((await cluster.leader()).machine.commands).toEqual(["next"]);
  });

  it("with an aborted signal is not begun", async () => {
    const { node } = await (await three()).leader();
    const signal = AbortSignal.abort();
    await expect(node.propose(bytes("a"), { signal })).rejects.toMatchObject({
      code: "ABORTED",
      outcome: "none",
    });
  });

  it("that waits for a leader is bounded in bytes and in time", async () => {
    cluster = await openCluster([1, 2, 3], {
      change: { pendingBytesMax: 10, proposalBytesMax: 8 },
    });
    const { node } = await cluster.follower();
    cluster.network.partition(
      [node.id],
      [...cluster.nodes.keys()].filter((id) => id !== node.id),
    );
    await cluster.until(() => node.leader === 0);
    const waiting = node.propose(bytes("12345678"));
    await expect(node.propose(bytes("123"))).rejects.toMatchObject({
      code: "PROPOSAL_DROPPED",
      reason: "tooManyBytes",
    });
    await expect(cluster.settled(waiting)).rejects.toMatchObject({ code: "NOT_LEADER" });
  });
});

describe("reading", () => {
  it("sees what was acknowledged before, at every node", async () => {
    const { node } = await (await three()).leader();
    await cluster.settled(node.propose(bytes("a")));
    for (const each of cluster.nodes.values()) {
      const seen = await cluster.settled(each.node.read(() => [...each.machine.commands]));
      expect(seen).toEqual(["a"]);
    }
  });

  it("waits while no leader answers, and then sees what happened meanwhile", async () => {
    const { node, machine } = await (await three()).follower();
    const others = [1, 2, 3].filter((id) => id !== node.id);
    cluster.network.partition([node.id], others);
    await cluster.until(() => node.leader === 0);
    const reading = node.read(() => [...machine.commands]);
    const leader = others.map((id) => cluster.get(id)).find((each) => each.node.isLeader);
    await cluster.settled(leader?.node.propose(bytes("meanwhile")) ?? Promise.reject());
    cluster.network.heal();
    expect(await cluster.settled(reading)).toEqual(["meanwhile"]);
  });

  it("a leader without a quorum cannot verify that it leads", async () => {
    const { node } = await (await three()).leader();
    await cluster.settled(node.verifyLeader());
    cluster.network.partition(
      [node.id],
      [1, 2, 3].filter((id) => id !== node.id),
    );
    const verifying = node.verifyLeader();
    verifying.catch(() => {});
    await cluster.until(() => !node.isLeader);
    cluster.network.heal();
    await expect(cluster.settled(verifying)).rejects.toMatchObject({ code: "NOT_LEADER" });
    const { node: follower } = await cluster.follower();
    await expect(follower.verifyLeader()).rejects.toMatchObject({ code: "NOT_LEADER" });
  });

  it("a barrier resolves when everything before it is applied here", async () => {
    const { node, machine } = await (await three()).follower();
    void node.propose(bytes("a"));
    await cluster.settled(node.barrier());
    expect(machine.commands).toEqual(["a"]);
  });
});

describe("membership", () => {
  it("adds, promotes, demotes and removes", async () => {
    const { node } = await (await three()).leader();
    await cluster.open(4);
    const added = await cluster.settled(node.addLearner(4, "here:4"));
    expect(added.confState.learners).toEqual([4]);
    expect(added.addresses.get(4)).toBe("here:4");
    expect((await cluster.settled(node.promote(4))).confState.voters).toEqual([1, 2, 3, 4]);
    expect((await cluster.settled(node.demote(4))).confState.learners).toEqual([4]);
    const removed = await cluster.settled(node.remove(4));
    expect(removed.confState).toMatchObject({ voters: [1, 2, 3], learners: [] });
    expect(removed.addresses.has(4)).toBe(false);
  });

  it("replaces one voter by another in one step, asked of a follower", async () => {
    const { node } = await (await three()).follower();
    await cluster.open(4);
    const leaving = [1, 2, 3].find((id) => id !== node.id && id !== node.leader) as number;
    const { confState } = await cluster.settled(node.replace(leaving, 4));
    expect(confState.voters).toEqual([1, 2, 3, 4].filter((id) => id !== leaving));
    expect(confState.votersOutgoing).toEqual([]);
  });

  it("compares and sets", async () => {
    const { node } = await (await three()).leader();
    const { index } = node.configuration;
    const { index: next } = await cluster.settled(node.addLearner(4, "a:1", { ifIndex: index }));
    await expect(node.addLearner(5, "a:2", { ifIndex: index })).rejects.toMatchObject({
      code: "PROPOSAL_DROPPED",
      reason: "configurationChanged",
      outcome: "none",
    });
    await cluster.settled(node.remove(4, { ifIndex: next }));
  });

  it("one change at a time", async () => {
    const { node } = await (await three()).leader();
    const first = node.addLearner(4);
    await expect(node.addLearner(5)).rejects.toMatchObject({ reason: "pendingConfChange" });
    await cluster.settled(first);
  });

  it.each([
    ["promote a stranger", (node: TestNodeLike) => node.promote(9)],
    ["demote a stranger", (node: TestNodeLike) => node.demote(9)],
    ["add node 0", (node: TestNodeLike) => node.addVoter(0)],
    ["change nothing", (node: TestNodeLike) => node.change([])],
  ])("refuses to %s", async (_, ask) => {
    const { node } = await (await three()).leader();
    await expect(ask(node)).rejects.toMatchObject({ code: "BAD_INPUT", outcome: "none" });
  });

  it("a leader that removes itself steps down, and its request succeeds", async () => {
    const { node } = await (await three()).leader();
    const { confState } = await cluster.settled(node.remove(node.id));
    expect(confState.voters).not.toContain(node.id);
    await cluster.until(() =>
      [...cluster.nodes.values()].some((each) => each.node !== node && each.node.isLeader),
    );
    expect(node.isLeader).toBe(false);
  });

  it("a node that returns under another address says so to the cluster", async () => {
    const { node } = await (await three()).follower();
    await cluster.close(node.id);
    await cluster.open(node.id, { address: "elsewhere:9" });
    await cluster.until(() =>
      [...cluster.nodes.values()].every(
        (each) => each.node.configuration.addresses.get(node.id) === "elsewhere:9",
      ),
    );
  });
});

type TestNodeLike = Awaited<ReturnType<TestCluster["leader"]>>["node"];

describe("leadership", () => {
  it("moves to who was named", async () => {
    const { node } = await (await three()).leader();
    const to = [1, 2, 3].find((id) => id !== node.id) as number;
    expect(await cluster.settled(node.transferLeadership({ to }))).toBe(to);
    expect((await cluster.leader()).node.id).toBe(to);
  });

  it("moves to the best, asked of a follower", async () => {
    const { node } = await (await three()).follower();
    const former = node.leader;
    expect(await cluster.settled(node.transferLeadership())).not.toBe(former);
  });

  it("does not move to whom it cannot", async () => {
    const { node } = await (await three()).leader();
    await expect(node.transferLeadership({ to: node.id })).rejects.toMatchObject({
      reason: "alreadyLeader",
    });
    await expect(node.transferLeadership({ to: 9 })).rejects.toMatchObject({
      reason: "badTarget",
    });
  });

  it("is watched: each change once", async () => {
    const { node } = await (await three()).leader();
    const seen: boolean[] = [];
    node.watchLeadership((leads) => seen.push(leads));
    await cluster.settled(node.transferLeadership());
    expect(seen).toEqual([true, false]);
    expect(await cluster.settled(node.waitForLeader())).not.toBe(0);
  });

  it("ends for who watches it when its node is closed", async () => {
    const { node } = await (await three()).leader();
    const seen: boolean[] = [];
    node.watchLeadership((leads) => seen.push(leads));
    await cluster.close(node.id);
    expect(seen).toEqual([true, false]);
    expect(node.isLeader).toBe(false);
  });

  it("is handed over when the leader's disk fails, and it never acknowledges again", async () => {
    let broken = "";
    cluster = await openCluster([1, 2, 3], {
      change: {
        wrap: (store) => ({
          ...store,
          storage: {
            ...store.storage,
            append: async (write) => {
              if (broken === hex(store.identity.storeId)) throw new Error("no space left");
              await store.storage.append(write);
            },
          },
        }),
      },
    });
    const { node, machine } = await cluster.leader();
    const halts: unknown[] = [];
    node.observe((event) => halts.push(event), ["halted"]);
    broken = hex(cluster.medium(node.id).identity?.storeId ?? new Uint8Array(0));
    const before = cluster.clock.now();
    await expect(cluster.settled(node.propose(bytes("a")))).rejects.toMatchObject({
      code: "HALTED",
      outcome: "unknown",
    });
    expect(machine.commands).toEqual([]);
    expect(halts).toHaveLength(1);
    await cluster.until(() =>
      [...cluster.nodes.values()].some((each) => each.node !== node && each.node.isLeader),
    );
    // An election timeout is at least 150 ms: nobody waited for it.
    expect(cluster.clock.now() - before).toBeLessThan(100);
  });
});

it("waiting for a leader can be given up, and ends with its node: nothing had begun", async () => {
  cluster = await openCluster([]);
  const { node } = await cluster.open(1);
  const abort = new AbortController();
  const waiting = node.waitForLeader({ signal: abort.signal });
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ code: "ABORTED", outcome: "none" });
  const ended = expect(node.waitForLeader()).rejects.toMatchObject({
    code: "CLOSED",
    outcome: "none",
  });
  await cluster.close(1);
  await ended;
});

describe("the end", () => {
  it("settles everything that is open", async () => {
    const { node } = await (await three()).leader();
    cluster.network.partition(
      [node.id],
      [1, 2, 3].filter((id) => id !== node.id),
    );
    const open = [
      node.propose(bytes("a")),
      node.barrier(),
      node.read(() => 0),
      node.addLearner(9),
      node.waitForLeader({}).then(() => new Promise(() => {})),
    ].slice(0, 4);
    const ends = Promise.allSettled(open);
    await cluster.close(node.id);
    for (const end of await ends) {
      expect(end).toMatchObject({ status: "rejected", reason: { code: "CLOSED" } });
    }
    await expect(node.propose(bytes("b"))).rejects.toMatchObject({
      code: "CLOSED",
      outcome: "none",
    });
  });
});
