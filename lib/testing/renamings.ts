/**
 * Renamings: other names for the nodes of a small cluster under which its scope is the same, and the hash of a state that they do not change.
 *
 * A node's state under other names is found by repeating what led to it, under other names: the core does the same whatever its nodes
 * are called (tried out in tests/sim/explorer.test.ts). So the explorer meets one of up to n! states that differ in names only.
 */
import { decodeConfChange, encodeConfChange } from "../core/confchange-codec.js";
import type { ConfChangeV2, Entry, Message, NodeId } from "../core/types.js";
import { type ExploredNodes, firstChange, type Input } from "./explored-nodes.js";
import { spread } from "./explored-states.js";

/** What of a scope has names in it. */
export interface Named {
  readonly voters: readonly NodeId[];
  readonly others: readonly NodeId[];
  readonly changes: readonly ConfChangeV2[];
  readonly renaming?: boolean;
}

export class Renamings {
  readonly #ids: readonly NodeId[];
  readonly #all: readonly Renaming[];
  high = 0;
  low = 0;

  constructor(scope: Named, nodes: ExploredNodes) {
    this.#ids = [...scope.voters, ...scope.others];
    const orders =
      scope.renaming === false
        ? [this.#ids]
        : permutations(scope.voters).flatMap((voters) =>
            permutations(scope.others).map((others) => [...voters, ...others]),
          );
    this.#all = orders
      .map((order) => new Renaming(this.#ids, order, scope.changes, nodes))
      .filter(({ fits }) => fits);
  }

  get count(): number {
    return this.#all.length;
  }

  /**
   * Sets `high` and `low` to a hash that is the same for a state under all of its names.
   *
   * @param state  the nodes' states, `counters` numbers of which the last two are the set of changes and the leaders, and messages
   */
  hash(state: readonly number[], counters: number): void {
    let high = 0;
    let low = 0;
    this.#all.forEach((renaming, i) => {
      renaming.hash(state, counters);
      if (i > 0 && (renaming.high > high || (renaming.high === high && renaming.low >= low)))
        return;
      high = renaming.high;
      low = renaming.low;
    });
    this.high = high;
    this.low = low;
  }
}

/** One renaming: who was `from[i]` is called `to[i]`. */
export class Renaming {
  readonly #nodes: ExploredNodes;
  readonly #names = new Map<NodeId, NodeId>();
  /** By the position of a node: its new one. */
  readonly #position: readonly number[];
  readonly #which: readonly number[];
  readonly #states: number[] = [];
  readonly #messages: number[] = [];
  high = 0;
  low = 0;

  constructor(
    from: readonly NodeId[],
    to: readonly NodeId[],
    changes: readonly ConfChangeV2[],
    nodes: ExploredNodes,
  ) {
    this.#nodes = nodes;
    from.forEach((id, i) => {
      this.#names.set(id, to[i] as NodeId);
    });
    this.#position = to.map((id) => from.indexOf(id));
    const texts = changes.map((change) => textOf(change));
    this.#which = changes.map((change) => texts.indexOf(textOf(this.#renamed(change))));
  }

  /** Every change is one of the scope's under its new names too. */
  get fits(): boolean {
    return !this.#which.includes(-1);
  }

  hash(state: readonly number[], counters: number): void {
    const nodes = this.#position.length;
    let high = 0;
    let low = 0;
    const add = (place: number, value: number): void => {
      const mixed = spread(Math.imul(place + 1, 0x9e3779b1) ^ spread(value + 0x51ed270b));
      high = (high + mixed) | 0;
      low = (low + spread(mixed + Math.imul(value, 0x27d4eb2f) + 0x165667b1)) | 0;
    };
    for (let i = 0; i < nodes; i++)
      add(this.#position[i] as number, this.state(state[i] as number));
    const end = nodes + counters;
    for (let i = nodes; i < end - 2; i++) add(i, state[i] as number);
    add(end - 2, this.#bits(state[end - 2] as number));
    add(end - 1, this.#leaders(state[end - 1] as number));
    // Messages under way are in no order.
    for (let i = end; i < state.length; i++) add(end, this.message(state[i] as number));
    this.high = high;
    this.low = low;
  }

  #bits(mask: number): number {
    let renamed = 0;
    this.#which.forEach((to, from) => {
      if ((mask >> from) & 1) renamed |= 1 << to;
    });
    return renamed;
  }

  /** Three bits for each term: nobody, or a node's position and one. */
  #leaders(leaders: number): number {
    let renamed = 0;
    for (let shift = 0; leaders >>> shift !== 0 && shift < 30; shift += 3) {
      const leader = (leaders >> shift) & 7;
      if (leader > 0) renamed |= ((this.#position[leader - 1] as number) + 1) << shift;
    }
    return renamed;
  }

  state(at: number): number {
    let renamed = this.#states[at];
    if (renamed === undefined) {
      const { start, inputs } = this.#nodes.pathTo(at);
      renamed = this.#nodes.start(this.#names.get(start) as NodeId);
      for (const input of inputs) renamed = this.#nodes.step(renamed, this.input(input)).to;
      this.#states[at] = renamed;
    }
    return renamed;
  }

  input(input: Input): Input {
    if (input >= 0) return this.message(input);
    if (input > firstChange) return input;
    return firstChange - (this.#which[firstChange - input] as number);
  }

  message(number: number): number {
    let renamed = this.#messages[number];
    if (renamed === undefined) {
      const message = this.#nodes.message(number);
      renamed = this.#nodes.numberOf({
        ...message,
        from: this.#names.get(message.from) ?? message.from,
        to: this.#names.get(message.to) ?? message.to,
        entries: message.entries.map((entry) => this.#entry(entry)),
      } satisfies Message);
      this.#messages[number] = renamed;
    }
    return renamed;
  }

  #entry(entry: Entry): Entry {
    if (entry.type === "EntryNormal") return entry;
    return { ...entry, ...encodeConfChange(this.#renamed(decodeConfChange(entry))) };
  }

  #renamed(change: ConfChangeV2): ConfChangeV2 {
    const changes = change.changes.map(({ type, nodeId }) => ({
      type,
      nodeId: this.#names.get(nodeId) ?? nodeId,
    }));
    return { ...change, changes };
  }
}

function textOf(change: ConfChangeV2): string {
  return encodeConfChange(change).data.join();
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, at) => {
    const rest = [...items.slice(0, at), ...items.slice(at + 1)];
    return permutations(rest).map((order) => [first, ...order]);
  });
}
