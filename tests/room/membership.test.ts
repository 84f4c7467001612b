/** Rooms that nobody administers: who votes as peers come and go (DESIGN §8), on real cores and logs. */
import { describe, expect, it } from "vitest";
import { defineMachine } from "../../lib/machines/machine.js";
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

async function three(authors = ["kitchen", "kitchen", "kitchen"]): Promise<{
  cluster: Cluster<Tally>;
  members: [Member<Tally>, Member<Tally>, Member<Tally>];
}> {
  const cluster = new Cluster<Tally>(tally);
  const [a = "", b = "", c = ""] = authors;
  const first = await cluster.open(1, { founds: true, author: a });
  await cluster.until("a leader", () => cluster.leader?.id === 1);
  const second = await cluster.open(2, { author: b });
  const third = await cluster.open(3, { author: c });
  await cluster.until("three voters", () => allAgree(cluster, [1, 2, 3]));
  return { cluster, members: [first, second, third] };
}

function allAgree(cluster: Cluster<Tally>, voters: number[], among = cluster.members): boolean {
  return among.every(({ peer }) => String(peer.confState.voters) === String(voters));
}

describe("a room's members", () => {
  it("are learners first, then three voters with the founder's state", async () => {
    const { cluster } = await three();
    for (const { peer } of cluster.members) {
      expect([...peer.replicated.table.members.keys()].sort()).toEqual([1, 2, 3]);
    }
  });
});

describe("a peer opened again", () => {
  it("has the state and the members its log held", async () => {
    const cluster = new Cluster<Tally>(tally);
    const first = await cluster.open(1, { founds: true });
    await cluster.until("a leader", () => cluster.leader?.id === 1);
    const second = await cluster.open(2);
    await cluster.until("a learner", () => first.peer.confState.learners.includes(2));
    await cluster.until(
      "both alike",
      () => second.peer.node.status().applied === first.peer.node.status().applied,
    );
    const applied = first.peer.node.status().applied;
    await cluster.pass(1_000);
    cluster.kill(first);
    const again = await cluster.open(1, { medium: first.medium });
    expect(again.peer.node.status().applied).toBe(applied);
    expect([...again.peer.replicated.table.members.keys()].sort()).toEqual([1, 2]);
  });
});
