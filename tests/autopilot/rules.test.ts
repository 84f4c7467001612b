/** The rules of membership as a table: who is here, and what the leader does about it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Action,
  browserLimits,
  type ClusterView,
  oddAtMost,
  type PeerView,
  rules,
} from "../../lib/autopilot/rules.js";

const steady: Omit<PeerView, "id" | "role"> = {
  author: "kitchen",
  silentMs: 100,
  goodbyeMs: undefined,
  adopted: false,
  caughtUp: true,
  steadyMs: 60_000,
};
const voter = (id: number, more: Partial<PeerView> = {}): PeerView => ({
  ...steady,
  id,
  role: "voter",
  ...more,
});
const learner = (id: number, more: Partial<PeerView> = {}): PeerView => ({
  ...steady,
  id,
  role: "learner",
  ...more,
});
const stranger = (id: number, more: Partial<PeerView> = {}): PeerView => ({
  ...steady,
  id,
  role: "none",
  ...more,
});
const view = (...peers: PeerView[]): ClusterView => ({ self: 1, peers, busy: false });
const decide = (cluster: ClusterView): Action | undefined => rules(cluster, browserLimits);
const change = (action: Partial<Extract<Action, { type: "change" }>>): object =>
  expect.objectContaining({
    type: "change",
    promote: [],
    demote: [],
    remove: [],
    addLearners: [],
    ...action,
  });

const dead = { silentMs: browserLimits.deadAfterMs + 1 };
const quiet = { silentMs: 8_000 };
const left = { silentMs: 6_000, goodbyeMs: browserLimits.goodbyeGraceMs + 1 };
const reloading = { silentMs: 1_000, goodbyeMs: 1_000 };

describe("rules", () => {
  const table: readonly (readonly [string, ClusterView, object | undefined])[] = [
    ["a founder alone stays the only voter", view(voter(1)), undefined],
    ["a newcomer becomes a learner", view(voter(1), stranger(2)), change({ addLearners: [2] })],
    [
      "newcomers are taken in together",
      view(voter(1), stranger(2), stranger(3)),
      change({ addLearners: [2, 3] }),
    ],
    ["a stranger who said goodbye is not taken in", view(voter(1), stranger(2, left)), undefined],
    ["two peers: one voter, one learner", view(voter(1), learner(2)), undefined],
    [
      "three peers: three voters, promoted together",
      view(voter(1), learner(2), learner(3)),
      change({ promote: [2, 3] }),
    ],
    [
      "a learner that lags does not vote yet",
      view(voter(1), learner(2), learner(3, { caughtUp: false })),
      undefined,
    ],
    [
      "a learner whose link is new does not vote yet",
      view(voter(1), learner(2), learner(3, { steadyMs: 100 })),
      undefined,
    ],
    [
      "four peers: three voters are enough",
      view(voter(1), voter(2), voter(3), learner(4)),
      undefined,
    ],
    [
      "five peers: five voters",
      view(voter(1), voter(2), voter(3), learner(4), learner(5)),
      change({ promote: [4, 5] }),
    ],
    [
      "a voter silent for some seconds is waited for",
      view(voter(1), voter(2), voter(3, quiet)),
      undefined,
    ],
    [
      "a voter that reloads is waited for",
      view(voter(1), voter(2), voter(3, reloading)),
      undefined,
    ],
    [
      "a dead voter is replaced by a learner in one change",
      view(voter(1), voter(2), voter(3, dead), learner(4)),
      change({ promote: [4], remove: [3] }),
    ],
    [
      "a voter that left is replaced without waiting for its death",
      view(voter(1), voter(2), voter(3, left), learner(4)),
      change({ promote: [4], remove: [3] }),
    ],
    [
      "a voter that left and nobody to replace it: 3 → 1",
      view(voter(1), voter(2), voter(3, left)),
      change({ demote: [2], remove: [3] }),
    ],
    [
      "two of five left: 5 → 3",
      view(voter(1), voter(2), voter(3), voter(4, dead), voter(5, dead)),
      change({ remove: [4, 5] }),
    ],
    [
      "adopted peers are retired once the tab itself votes",
      view(voter(1), voter(2, { adopted: true }), voter(3, { adopted: true })),
      change({ remove: [2, 3] }),
    ],
    [
      "an adopted leader hands over to a voter that stays",
      view(voter(1, { adopted: true }), voter(2), voter(3)),
      { type: "transfer", to: 2, why: expect.any(String) },
    ],
    [
      "an adopted sole voter makes an heir first",
      view(voter(1, { adopted: true }), learner(2)),
      change({ promote: [2] }),
    ],
    [
      "an adopted leader without an heir goes on",
      view(voter(1, { adopted: true }), learner(2, { caughtUp: false })),
      undefined,
    ],
    [
      "an adopted learner is struck off",
      view(voter(1), learner(2), learner(3, { adopted: true })),
      change({ remove: [3] }),
    ],
    [
      "a learner silent for ten minutes is forgotten",
      view(voter(1), learner(2, { silentMs: browserLimits.forgetLearnerMs + 1 })),
      change({ remove: [2] }),
    ],
    [
      "a learner silent for a minute is kept",
      view(voter(1), learner(2, { silentMs: 60_000 })),
      undefined,
    ],
    [
      "a second profile votes before the first one's third tab",
      view(voter(1), voter(2), voter(3), learner(4, { author: "phone" })),
      change({ promote: [4], demote: [3] }),
    ],
    [
      "profiles once spread, nothing moves any more",
      view(voter(1), voter(2), learner(3), voter(4, { author: "phone" })),
      undefined,
    ],
    [
      "without a live majority nothing is tried",
      view(voter(1), voter(2, dead), voter(3, dead)),
      undefined,
    ],
    [
      "at most seven vote",
      view(voter(1), ...[2, 3, 4, 5, 6, 7].map((id) => voter(id)), learner(8), learner(9)),
      undefined,
    ],
    [
      "a room of 64 takes nobody in",
      view(voter(1), ...manyLearners(63), stranger(99)),
      change({ promote: [2, 3, 4, 5, 6, 7] }),
    ],
    ["one change at a time", { ...view(voter(1), stranger(2)), busy: true }, undefined],
  ];
  it.each(table)("%s", (_name, cluster, expected) => {
    expect(decide(cluster)).toEqual(expected);
  });
});

function manyLearners(count: number): PeerView[] {
  return Array.from({ length: count }, (_, i) => learner(i + 2));
}

const anyPeer = (id: number): fc.Arbitrary<PeerView> =>
  fc.record({
    id: fc.constant(id),
    author: fc.constantFrom("kitchen", "phone", "office"),
    role: fc.constantFrom("voter", "learner", "none"),
    silentMs: fc.constantFrom(0, 2_000, 8_000, 40_000, 700_000),
    goodbyeMs: fc.constantFrom(undefined, undefined, undefined, 1_000, 10_000),
    adopted: fc.boolean(),
    caughtUp: fc.boolean(),
    steadyMs: fc.constantFrom(0, 100, 10_000),
  });

const anyView: fc.Arbitrary<ClusterView> = fc
  .integer({ min: 1, max: 12 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => anyPeer(i + 1))))
  .map((peers) => {
    const self = peers[0] as PeerView;
    const leader: PeerView = {
      ...self,
      role: "voter",
      silentMs: 0,
      goodbyeMs: undefined,
      caughtUp: true,
    };
    return view(leader, ...peers.slice(1));
  });

/** The roles after `action`, as a joint change leaves them. */
function carriedOut(cluster: ClusterView, action: Action): ClusterView {
  if (action.type === "transfer") return { ...cluster, self: action.to };
  const peers = cluster.peers
    .map((peer): PeerView => {
      if (action.promote.includes(peer.id)) return { ...peer, role: "voter" };
      if (action.demote.includes(peer.id)) return { ...peer, role: "learner" };
      if (action.addLearners.includes(peer.id)) return { ...peer, role: "learner" };
      return action.remove.includes(peer.id) ? { ...peer, role: "none", silentMs: 1e6 } : peer;
    })
    .map((peer) => peer);
  return { ...cluster, peers };
}

describe("rules, whatever the view", () => {
  it("settle: carried out one after the other they come to rest", () => {
    fc.assert(
      fc.property(anyView, (start) => {
        let cluster = start;
        for (let step = 0; step < 20; step++) {
          const action = decide(cluster);
          if (action === undefined) return;
          cluster = carriedOut(cluster, action);
        }
        throw new Error(`still acting: ${JSON.stringify(decide(cluster))}`);
      }),
    );
  });

  it("never leave a room without a voter, and never promote a peer that lags or is gone", () => {
    fc.assert(
      fc.property(anyView, (cluster) => {
        const action = decide(cluster);
        if (action?.type !== "change") return;
        const after = carriedOut(cluster, action);
        expect(after.peers.some((peer) => peer.role === "voter")).toBe(true);
        for (const id of action.promote) {
          const peer = cluster.peers.find((one) => one.id === id);
          expect(peer).toMatchObject({ caughtUp: true, adopted: false, role: "learner" });
        }
      }),
    );
  });
});

describe("oddAtMost", () => {
  it.each([
    [0, 0],
    [1, 1],
    [2, 1],
    [3, 3],
    [4, 3],
    [7, 7],
    [8, 7],
  ])("%d → %d", (count, odd) => {
    expect(oddAtMost(count)).toBe(odd);
  });
});
