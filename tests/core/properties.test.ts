/** Where two routes must agree: quorum arithmetic, configuration changes, saved configurations. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Changed,
  confStateOf,
  enterJoint,
  leaveJoint,
  type Membership,
  type Newcomers,
  restoreMembership,
  simpleChange,
} from "../../lib/core/confchange.js";
import { Inflights } from "../../lib/core/inflights.js";
import {
  committedIndex,
  jointCommittedIndex,
  jointVoteResult,
  majorityOf,
  voteResult,
} from "../../lib/core/quorum.js";
import type { ConfChangeSingle, ConfState, NodeId } from "../../lib/core/types.js";

const runs = { numRuns: 1000 };
const id = fc.integer({ min: 1, max: 9 });
const voters = fc.uniqueArray(id, { maxLength: 9 });
/** Indexes acknowledged, by id; who is missing has acknowledged nothing. */
const acks = fc.array(fc.nat(12), { minLength: 10, maxLength: 10 });
/** What each id voted, by id. */
const ballots = fc
  .array(fc.constantFrom(true, false, undefined), { minLength: 10, maxLength: 10 })
  .map((given) => {
    const votes = new Map<NodeId, boolean>();
    given.forEach((vote, voter) => {
      if (vote !== undefined) votes.set(voter, vote);
    });
    return votes;
  });
const by =
  (indexes: readonly number[]) =>
  (voter: NodeId): number =>
    indexes[voter] ?? 0;

describe("quorums", () => {
  /** The definition: the highest index that at least a majority has acknowledged. */
  function naive(ids: readonly NodeId[], acknowledged: (id: NodeId) => number): number {
    if (ids.length === 0) return Number.POSITIVE_INFINITY;
    const candidates = [0, ...ids.map(acknowledged)];
    const held = (index: number): number =>
      ids.filter((voter) => acknowledged(voter) >= index).length;
    return Math.max(...candidates.filter((index) => held(index) >= majorityOf(ids.length)));
  }

  test("the committed index is what a majority holds, by counting", () => {
    fc.assert(
      fc.property(voters, acks, (ids, indexes) => {
        expect(committedIndex(ids, by(indexes))).toBe(naive(ids, by(indexes)));
      }),
      runs,
    );
  });

  test("a joint configuration commits what both halves hold", () => {
    fc.assert(
      fc.property(voters, voters, acks, (incoming, outgoing, indexes) => {
        const joint = jointCommittedIndex(incoming, outgoing, by(indexes));
        expect(joint).toBe(Math.min(naive(incoming, by(indexes)), naive(outgoing, by(indexes))));
        expect(jointCommittedIndex(outgoing, incoming, by(indexes))).toBe(joint);
      }),
      runs,
    );
  });

  test("an acknowledgement never takes a commitment back", () => {
    fc.assert(
      fc.property(voters, voters, acks, id, fc.nat(5), (incoming, outgoing, indexes, who, more) => {
        const before = jointCommittedIndex(incoming, outgoing, by(indexes));
        const later = indexes.map((index, voter) => (voter === who ? index + more : index));
        expect(jointCommittedIndex(incoming, outgoing, by(later))).toBeGreaterThanOrEqual(before);
      }),
      runs,
    );
  });

  test("an election is won by a majority of grants and lost when they cannot be had", () => {
    fc.assert(
      fc.property(voters, ballots, (ids, votes) => {
        const granted = ids.filter((voter) => votes.get(voter) === true).length;
        const refused = ids.filter((voter) => votes.get(voter) === false).length;
        const wins = 2 * granted > ids.length || ids.length === 0;
        const loses = !wins && 2 * (ids.length - refused) <= ids.length;
        expect(voteResult(ids, votes)).toBe(wins ? "won" : loses ? "lost" : "pending");
      }),
      runs,
    );
  });

  test("a joint election needs both halves, whichever is named first", () => {
    fc.assert(
      fc.property(voters, voters, ballots, (incoming, outgoing, votes) => {
        const halves = [voteResult(incoming, votes), voteResult(outgoing, votes)];
        const joint = jointVoteResult(incoming, outgoing, votes);
        expect(joint === "won").toBe(halves.every((half) => half === "won"));
        expect(joint === "lost").toBe(halves.includes("lost"));
        expect(jointVoteResult(outgoing, incoming, votes)).toBe(joint);
      }),
      runs,
    );
  });

  test("joint with itself is the same as alone", () => {
    fc.assert(
      fc.property(voters, acks, ballots, (ids, indexes, votes) => {
        expect(jointCommittedIndex(ids, ids, by(indexes))).toBe(committedIndex(ids, by(indexes)));
        expect(jointVoteResult(ids, ids, votes)).toBe(voteResult(ids, votes));
      }),
      runs,
    );
  });

  test("two majorities of one configuration meet, and so do those of neighbouring ones", () => {
    for (let size = 1; size <= 9; size++) {
      expect(2 * majorityOf(size)).toBeGreaterThan(size);
      expect(majorityOf(size) + majorityOf(size + 1)).toBeGreaterThan(size + 1);
    }
  });
});

describe("configuration changes", () => {
  const newcomers: Newcomers = { lastIndex: 10, makeInflights: () => new Inflights(256, 2 ** 20) };

  function membership(changed: Changed): Membership {
    if (!changed.ok) throw new Error(changed.reason);
    return changed.membership;
  }

  const change: fc.Arbitrary<ConfChangeSingle> = fc.record({
    type: fc.constantFrom(
      "ConfChangeAddNode",
      "ConfChangeRemoveNode",
      "ConfChangeAddLearnerNode",
      "ConfChangeUpdateNode",
    ),
    nodeId: id,
  });
  const changes = fc.array(change, { minLength: 1, maxLength: 9 });
  const start = fc.uniqueArray(id, { minLength: 1, maxLength: 5 });

  const shown = ({ configuration, progress }: Membership): unknown => ({
    configuration,
    progress: [...progress.keys()].sort((a, b) => a - b),
    learners: [...progress]
      .filter(([, { isLearner }]) => isLearner)
      .map(([peer]) => peer)
      .sort(),
  });

  /** One at a time; undefined where a step is not allowed. */
  function stepByStep(
    from: Membership,
    steps: readonly ConfChangeSingle[],
  ): Membership | undefined {
    let at = from;
    for (const step of steps) {
      const changed = simpleChange(at, [step], newcomers);
      if (!changed.ok) return undefined;
      at = changed.membership;
    }
    return at;
  }

  test.each([true, false])(
    "simple changes one by one lead where one joint change and leaving it lead (autoLeave %s)",
    (autoLeave) => {
      fc.assert(
        fc.property(start, changes, (ids, steps) => {
          const from = membership(
            restoreMembership(
              { voters: ids, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
              newcomers,
            ),
          );
          const simple = stepByStep(from, steps);
          // The last voter cannot be removed on the way; at once it can be replaced.
          fc.pre(simple !== undefined);
          const joint = membership(enterJoint(from, autoLeave, steps, newcomers));
          expect(joint.configuration.autoLeave).toBe(autoLeave);
          expect(joint.configuration.outgoing).toEqual([...ids].sort((a, b) => a - b));
          expect(shown(membership(leaveJoint(joint)))).toEqual(shown(simple as Membership));
        }),
        runs,
      );
    },
  );

  test("a change leaves what it started from untouched", () => {
    fc.assert(
      fc.property(start, changes, (ids, steps) => {
        const state = {
          voters: ids,
          learners: [],
          votersOutgoing: [],
          learnersNext: [],
          autoLeave: false,
        };
        const from = membership(restoreMembership(state, newcomers));
        const before = structuredClone(shown(from));
        stepByStep(from, steps);
        enterJoint(from, true, steps, newcomers);
        expect(shown(from)).toEqual(before);
      }),
      runs,
    );
  });

  /** Configurations that can be: every list ascending, `learnersNext` among the outgoing alone. */
  const confState: fc.Arbitrary<ConfState> = fc
    .record({
      incoming: fc.uniqueArray(id, { minLength: 1, maxLength: 5 }),
      outgoing: fc.uniqueArray(id, { maxLength: 5 }),
      others: fc.uniqueArray(id, { maxLength: 9 }),
      autoLeave: fc.boolean(),
    })
    .map(({ incoming, outgoing, others, autoLeave }) => {
      const sorted = (ids: NodeId[]): NodeId[] => ids.sort((a, b) => a - b);
      const rest = others.filter((peer) => !incoming.includes(peer));
      return {
        voters: sorted(incoming),
        votersOutgoing: sorted(outgoing),
        learners: sorted(rest.filter((peer) => !outgoing.includes(peer))),
        learnersNext: sorted(rest.filter((peer) => outgoing.includes(peer))),
        autoLeave: outgoing.length > 0 && autoLeave,
      };
    });

  test("a saved configuration is restored and read back", () => {
    fc.assert(
      fc.property(confState, (state) => {
        const restored = membership(restoreMembership(state, newcomers));
        expect(confStateOf(restored.configuration)).toEqual(state);
      }),
      runs,
    );
  });

  test("a saved configuration is the same in whatever order its ids come (raft-rs does not sort)", () => {
    fc.assert(
      fc.property(confState, (state) => {
        const reversed: ConfState = {
          ...state,
          voters: [...state.voters].reverse(),
          learners: [...state.learners].reverse(),
          votersOutgoing: [...state.votersOutgoing].reverse(),
          learnersNext: [...state.learnersNext].reverse(),
        };
        const restored = membership(restoreMembership(reversed, newcomers));
        expect(confStateOf(restored.configuration)).toEqual(state);
      }),
      runs,
    );
  });
});
