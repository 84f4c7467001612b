/** Every order of a few events on three real cores; and the explorer itself, which forgets much and may not forget what matters. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { disagreement, isIgnored, quorumsMeet } from "../../lib/testing/explored-checks.js";
import {
  beat,
  crash,
  ExploredNodes,
  firstChange,
  type Input,
  type NodeState,
  propose,
  timeout,
} from "../../lib/testing/explored-nodes.js";
import { SeenStates } from "../../lib/testing/explored-states.js";
import { explore } from "../../lib/testing/explorer.js";
import { Renaming } from "../../lib/testing/renamings.js";
import { removals, scopes, three } from "./scopes.mjs";

describe("three nodes", () => {
  for (const { what, scope } of scopes.filter(({ quick }) => quick)) {
    it(`${what}, completely`, { timeout: 120_000 }, () => {
      const { states, complete } = explore(scope);
      expect(complete).toBe(true);
      expect(states).toBeGreaterThan(10_000);
    });
  }

  it("says when it was stopped before the end", () => {
    const { states, complete } = explore({ ...three, timeouts: 3, statesMax: 500 });
    expect(complete).toBe(false);
    expect(states).toBeLessThan(600);
    expect(explore({ ...three, timeouts: 1, depthMax: 3 })).toMatchObject({
      complete: false,
      depth: 3,
    });
  });

  it("names do not matter: with and without renaming it is one world", () => {
    const scope = { ...three, timeouts: 1, changes: removals, changesMax: 1 };
    const [one, all] = [explore(scope), explore({ ...scope, renaming: false })];
    expect(all.complete && one.complete).toBe(true);
    expect(all.depth).toBe(one.depth);
    expect(all.nodeStates).toBe(one.nodeStates);
    expect(all.states).toBeGreaterThan(5 * one.states);
    expect(all.states).toBeLessThanOrEqual(6 * one.states);
  });
});

/** A cluster that is driven at random: what each node is (by its number), and what it went through. */
class Walk {
  readonly nodes: ExploredNodes;
  readonly at = new Map<number, number>();
  readonly lives = new Map<number, Input[]>();
  readonly #random;
  #underWay: number[] = [];

  constructor(nodes: ExploredNodes, seed: number) {
    this.nodes = nodes;
    this.#random = seededRandom(seed);
    for (const id of three.voters) {
      this.at.set(id, nodes.start(id));
      this.lives.set(id, []);
    }
  }

  step(): { readonly id: number; readonly from: number; readonly input: Input } {
    const { below } = this.#random;
    let id = 1 + below(3);
    let input = [timeout, crash, propose, beat, firstChange - below(removals.length)][
      below(5)
    ] as Input;
    if (this.#underWay.length > 0 && below(8) > 0) {
      input = this.#underWay[below(this.#underWay.length)] as number;
      id = this.nodes.message(input).to;
      if (below(4) > 0) this.#underWay = this.#underWay.filter((one) => one !== input);
    }
    const from = this.at.get(id) as number;
    const { to, sent, error } = this.nodes.step(from, input);
    expect(error).toBeUndefined();
    this.at.set(id, to);
    this.lives.get(id)?.push(input);
    this.#underWay.push(...sent);
    return { id, from, input };
  }
}

describe("what is taken for one", () => {
  it("a node behaves as one that came to the same state in another way", () => {
    const nodes = new ExploredNodes(three.voters, removals);
    let met = 0;
    for (let seed = 0; seed < 60; seed++) {
      const walk = new Walk(nodes, seed);
      // Nodes that know only their own past: nothing is taken for anything there.
      const alone = new Map(
        three.voters.map((id) => [id, new ExploredNodes(three.voters, removals)]),
      );
      const own = new Map(three.voters.map((id) => [id, alone.get(id)?.start(id) as number]));
      for (let i = 0; i < 40; i++) {
        const before = nodes.count;
        const { id, from, input } = walk.step();
        if (nodes.count === before) met++;
        const table = alone.get(id) as ExploredNodes;
        const same = input < 0 ? input : table.numberOf(nodes.message(input));
        const { to, sent } = table.step(own.get(id) as number, same);
        own.set(id, to);
        const expected = nodes.step(from, input);
        expect(table.state(to)).toEqual(nodes.state(expected.to));
        expect(sent.map((one) => table.message(one))).toEqual(
          expected.sent.map((one) => nodes.message(one)),
        );
      }
    }
    expect(met).toBeGreaterThan(500);
  });

  it("a node behaves as one of another name", () => {
    const nodes = new ExploredNodes(three.voters, removals);
    const renaming = new Renaming(three.voters, [2, 3, 1], removals, nodes);
    expect(renaming.fits).toBe(true);
    for (let seed = 0; seed < 40; seed++) {
      const walk = new Walk(nodes, seed);
      for (let i = 0; i < 40; i++) {
        const { from, input } = walk.step();
        const { to, sent } = nodes.step(from, input);
        const renamed = nodes.step(renaming.state(from), renaming.input(input));
        expect(renamed.to).toBe(renaming.state(to));
        expect([...renamed.sent].sort()).toEqual(sent.map((one) => renaming.message(one)).sort());
      }
    }
  });

  it("a message that is not kept moves nothing, now or later", () => {
    const nodes = new ExploredNodes(three.voters, removals);
    let ignored = 0;
    for (let seed = 0; seed < 40; seed++) {
      const walk = new Walk(nodes, seed);
      const known: number[] = [];
      for (let i = 0; i < 40; i++) {
        const { input } = walk.step();
        if (input >= 0) known.push(input);
        for (const number of known) {
          const message = nodes.message(number);
          const at = walk.at.get(message.to) as number;
          if (!isIgnored(message, nodes.state(at))) continue;
          ignored++;
          expect(nodes.step(at, number)).toMatchObject({ to: at, sent: [] });
        }
      }
    }
    expect(ignored).toBeGreaterThan(1_000);
  });

  it("a set of states keeps apart what differs in a bit", () => {
    const seen = new SeenStates();
    const addAll = (): number => {
      let added = 0;
      for (let i = 0; i < 100_000; i++) if (seen.add(i % 7, i)) added++;
      return added;
    };
    expect(addAll()).toBe(100_000);
    expect(addAll()).toBe(0);
    expect(seen.count).toBe(100_000);
  });
});

describe("what is found", () => {
  const entry = (index: number, term: number, data: number[] = []) => ({
    index,
    term,
    type: "EntryNormal" as const,
    data: new Uint8Array(data),
    unknown: undefined,
  });
  const node = (id: number, about: Partial<NodeState>): NodeState => ({
    id,
    term: 1,
    role: "follower",
    committed: 0,
    confState: {
      voters: [1, 2, 3],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    },
    entries: [],
    ...about,
  });

  it("I18: two committed sequences", () => {
    const a = node(1, { committed: 1, entries: [entry(1, 1)] });
    const b = node(2, { committed: 1, entries: [entry(1, 2)] });
    expect(disagreement(a, b)?.invariant).toBe("I18");
    expect(disagreement(a, { ...b, committed: 0 })).toBeUndefined();
  });

  it("I8: logs that meet and differ before", () => {
    const a = node(1, { entries: [entry(1, 1), entry(2, 2)] });
    expect(disagreement(a, node(2, { entries: [entry(1, 2), entry(2, 2)] }))?.invariant).toBe("I8");
    expect(disagreement(a, node(2, { entries: [entry(1, 1), entry(2, 2, [1])] }))?.invariant).toBe(
      "I8",
    );
    expect(disagreement(a, node(2, { entries: [entry(1, 1), entry(2, 3)] }))).toBeUndefined();
  });

  it("I12: a leader without what was committed before its term", () => {
    const a = node(1, { term: 3, role: "leader", entries: [entry(1, 1), entry(2, 3)] });
    const b = node(2, { term: 2, committed: 2, entries: [entry(1, 1), entry(2, 2)] });
    expect(disagreement(a, b)?.invariant).toBe("I12");
    expect(disagreement(a, { ...b, committed: 1 })).toBeUndefined();
    expect(disagreement({ ...a, term: 2 }, b)).toBeUndefined();
  });

  it("I27: a leader whose quorums do not meet those of a newer configuration", () => {
    const a = node(1, { term: 3, role: "leader" });
    const conf = { ...a.confState, voters: [2] };
    const b = node(2, { term: 2, committed: 4, confState: conf });
    expect(() => quorumsMeet(a, b)).toThrow("I27");
    expect(() => quorumsMeet(a, { ...b, confState: { ...conf, voters: [2, 3] } })).not.toThrow();
    expect(() => quorumsMeet({ ...a, term: 2 }, b)).not.toThrow();
  });
});
