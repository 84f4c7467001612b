/**
 * The small-scope explorer: every order of events of a small cluster, on the real core.
 *
 * Breadth first over what may happen next: a message is delivered (or stays under way for ever: it is lost), delivered and kept (it comes
 * twice), a node's timer runs out, it crashes and starts again, a leader sends heartbeats, a command or a change is proposed. States that
 * were seen before are not gone into again, and where a scope is the same under other names for its nodes, states that differ in names
 * only are one.
 *
 * Left out is what can change nothing: a message that its receiver ignores, now and in whatever becomes of it, is not kept; a delivery
 * that moves nothing is no event. In every state: one leader per term, logs that match, one committed sequence, leaders that hold what
 * was committed before them, and quorums that meet.
 *
 * Not here: what a node does (explored-nodes.ts). Writes are durable at once: what a slow disk does is the simulator's.
 */
import type { ConfChangeV2, Message, NodeId } from "../core/types.js";
import { disagreement, isIgnored, quorumsMeet } from "./explored-checks.js";
import {
  beat,
  crash,
  ExploredNodes,
  firstChange,
  type Input,
  type NodeState,
  propose,
  type Step,
  timeout,
} from "./explored-nodes.js";
import { Numbers, SeenStates } from "./explored-states.js";
import { Renamings } from "./renamings.js";
import { Violation } from "./violation.js";

export interface Scope {
  /** At most 7, with `others`. */
  readonly voters: readonly NodeId[];
  /** Nodes with nothing, which a change may add. */
  readonly others: readonly NodeId[];
  readonly depthMax: number;
  /** Stops there and says so. */
  readonly statesMax: number;
  /** How often each may happen on one path. At most 9 timeouts. */
  readonly timeouts: number;
  readonly crashes: number;
  readonly proposals: number;
  readonly duplicates: number;
  /** Rounds of heartbeats. Default 0. */
  readonly beats?: number;
  /** Changes that may be proposed, each once, by any leader. */
  readonly changes: readonly ConfChangeV2[];
  /** How many of them on one path. Default: all. */
  readonly changesMax?: number;
  /** Take states for one that differ in the names of nodes only. Default true. */
  readonly renaming?: boolean;
}

export interface Explored {
  /** Distinct ones. */
  readonly states: number;
  /** Events of all of them. */
  readonly events: number;
  /** Distinct states of one node. */
  readonly nodeStates: number;
  readonly depth: number;
  /** Everything within the scope was seen. */
  readonly complete: boolean;
}

/** @throws Violation with the path that leads to it */
export function explore(scope: Scope): Explored {
  return new Exploration(scope).run();
}

/**
 * Where what is counted stands in a state: the nodes' states come before it, the messages under way after it. Leaders take three bits a term.
 */
const counters = {
  timeouts: 0,
  crashes: 1,
  proposals: 2,
  duplicates: 3,
  beats: 4,
  changed: 5,
  leaders: 6,
};
const counterCount = 7;

const counterOf: ReadonlyMap<Input, number> = new Map([
  [timeout, counters.timeouts],
  [crash, counters.crashes],
  [propose, counters.proposals],
  [beat, counters.beats],
]);

class Exploration {
  readonly #scope: Scope;
  readonly #ids: readonly NodeId[];
  readonly #nodes: ExploredNodes;
  readonly #renamings: Renamings;
  readonly #seen = new SeenStates();
  /** By the number of a state, in the order of discovery: the state before it, and what happened. */
  readonly #before = new Numbers();
  readonly #events = new Numbers();
  #frontier = new Numbers();
  #next = new Numbers();
  #eventCount = 0;
  /** The state gone into, its number, and the one that an event makes of it. */
  #state: number[] = [];
  #number = 0;
  #after: number[] = [];
  readonly #agreeing = new Map<number, Violation | undefined>();

  constructor(scope: Scope) {
    this.#scope = scope;
    this.#ids = [...scope.voters, ...scope.others];
    if (this.#ids.length > 7 || scope.timeouts > 9) {
      throw new RangeError(
        `a scope has at most 7 nodes and 9 timeouts, got ${this.#ids.length} and ${scope.timeouts}`,
      );
    }
    this.#nodes = new ExploredNodes(scope.voters, scope.changes);
    this.#renamings = new Renamings(scope, this.#nodes);
  }

  run(): Explored {
    const { depthMax, statesMax } = this.#scope;
    const start = this.#ids.map((id) => this.#nodes.start(id));
    this.#after = [...start, ...new Array<number>(counterCount).fill(0)];
    this.#found(-1, 0);
    let depth = 0;
    let full = false;
    while (depth < depthMax && this.#next.length > 0 && !full) {
      this.#frontier = this.#next;
      this.#next = new Numbers();
      depth++;
      for (let at = 0; at < this.#frontier.length && !full; ) {
        at = this.#load(at);
        this.#goInto();
        full = this.#seen.count >= statesMax;
      }
    }
    return {
      states: this.#seen.count,
      events: this.#eventCount,
      nodeStates: this.#nodes.count,
      depth,
      complete: !full && this.#next.length === 0,
    };
  }

  /** Takes the state at `at` out of the frontier; answers where the next begins. */
  #load(at: number): number {
    const size = this.#frontier.at(at);
    this.#number = this.#frontier.at(at + 1);
    this.#state = new Array<number>(size);
    for (let i = 0; i < size; i++) this.#state[i] = this.#frontier.at(at + 2 + i);
    return at + 2 + size;
  }

  #goInto(): void {
    const state = this.#state;
    const { timeouts, crashes, proposals, duplicates, beats = 0 } = this.#scope;
    const nodes = this.#ids.length;
    const left = (counter: number, max: number): boolean =>
      (state[nodes + counter] as number) < max;
    for (let at = nodes + counterCount; at < state.length; at++) {
      // The same twice: one of them is enough.
      if (state.indexOf(state[at] as number, nodes + counterCount) < at) continue;
      this.#deliver(at, false);
      if (left(counters.duplicates, duplicates)) this.#deliver(at, true);
    }
    for (let position = 0; position < nodes; position++) {
      const leads = this.#nodes.state(state[position] as number).role === "leader";
      if (!leads && left(counters.timeouts, timeouts)) this.#happen(position, timeout);
      if (left(counters.crashes, crashes)) this.#happen(position, crash);
      if (!leads) continue;
      if (left(counters.proposals, proposals)) this.#happen(position, propose);
      if (left(counters.beats, beats)) this.#happen(position, beat);
      this.#change(position);
    }
  }

  #change(position: number): void {
    const { changes, changesMax = changes.length } = this.#scope;
    const changed = this.#state[this.#ids.length + counters.changed] as number;
    if (bitsIn(changed) >= changesMax) return;
    for (let which = 0; which < changes.length; which++) {
      if (((changed >> which) & 1) === 0) this.#happen(position, firstChange - which);
    }
  }

  #deliver(at: number, keep: boolean): void {
    const number = this.#state[at] as number;
    const position = this.#ids.indexOf(this.#nodes.message(number).to);
    this.#take(position, number, keep ? -1 : at, keep);
  }

  #happen(position: number, input: Input): void {
    this.#take(position, input, -1, false);
  }

  #take(position: number, input: Input, delivered: number, keep: boolean): void {
    const from = this.#state[position] as number;
    const step = this.#nodes.step(from, input);
    if (step.error !== undefined)
      throw this.#violation("assertion", step.error.message, position, input, keep);
    if (step.to === from && step.sent.length === 0) return;
    this.#eventCount++;
    this.#make(position, input, step, delivered, keep);
    try {
      this.#check(position, from);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      throw this.#violation(error.invariant, error.message, position, input, keep);
    }
    this.#found(this.#number, eventOf(position, input, keep));
  }

  /** The state after `step` of the node at `position`. */
  #make(position: number, input: Input, step: Step, delivered: number, keep: boolean): void {
    const state = this.#state;
    const nodes = this.#ids.length;
    const after = state.slice(0, nodes + counterCount);
    after[position] = step.to;
    const counter = counterOf.get(input);
    if (counter !== undefined) after[nodes + counter] = (after[nodes + counter] as number) + 1;
    if (keep)
      after[nodes + counters.duplicates] = (after[nodes + counters.duplicates] as number) + 1;
    if (input <= firstChange) {
      after[nodes + counters.changed] =
        (after[nodes + counters.changed] as number) | (1 << (firstChange - input));
    }
    const id = this.#ids[position];
    const now = this.#nodes.state(step.to);
    for (let at = nodes + counterCount; at < state.length; at++) {
      if (at === delivered) continue;
      const number = state[at] as number;
      const message = this.#nodes.message(number);
      if (message.to !== id || !isIgnored(message, now)) after.push(number);
    }
    for (const number of step.sent) {
      const message = this.#nodes.message(number);
      const to = this.#ids.indexOf(message.to);
      if (to >= 0 && !isIgnored(message, this.#nodes.state(after[to] as number)))
        after.push(number);
    }
    this.#after = after;
  }

  // — what must hold —

  #check(position: number, from: number): void {
    const after = this.#after;
    const nodes = this.#ids.length;
    const at = after[position] as number;
    if (at === from) return;
    const node = this.#nodes.state(at);
    if (node.role === "leader") this.#noteLeader(position, node);
    const elected = node.role === "leader" && this.#nodes.state(from).role !== "leader";
    for (let other = 0; other < nodes; other++) {
      if (other === position) continue;
      const there = after[other] as number;
      const broken = this.#agree(at, there) ?? this.#agree(there, at);
      if (broken !== undefined) throw broken;
      if (elected) quorumsMeet(node, this.#nodes.state(there));
    }
  }

  /** I1: at most one leader in a term. */
  #noteLeader(position: number, { id, term }: NodeState): void {
    const slot = this.#ids.length + counters.leaders;
    const leaders = this.#after[slot] as number;
    const known = (leaders >> (3 * term)) & 7;
    if (known !== 0 && known !== position + 1) {
      throw new Violation("I1", `${this.#ids[known - 1]} and ${id} lead term ${term}`);
    }
    this.#after[slot] = leaders | ((position + 1) << (3 * term));
  }

  #agree(a: number, b: number): Violation | undefined {
    const pair = a * 0x4000000 + b;
    if (this.#agreeing.has(pair)) return this.#agreeing.get(pair);
    const broken = disagreement(this.#nodes.state(a), this.#nodes.state(b));
    this.#agreeing.set(pair, broken);
    return broken;
  }

  // — bookkeeping —

  #found(before: number, event: number): void {
    this.#renamings.hash(this.#after, counterCount);
    if (!this.#seen.add(this.#renamings.high, this.#renamings.low)) return;
    this.#before.push(before);
    this.#events.push(event);
    this.#next.push(this.#after.length);
    this.#next.push(this.#before.length - 1);
    this.#next.pushAll(this.#after, this.#after.length);
  }

  #violation(
    invariant: string,
    why: string,
    position: number,
    input: Input,
    keep: boolean,
  ): Violation {
    const events = [eventOf(position, input, keep)];
    for (let at = this.#number; at > 0; at = this.#before.at(at)) events.push(this.#events.at(at));
    const path = events.reverse().map((event, i) => `${i + 1}. ${this.#describe(event)}`);
    const text = why.startsWith(`${invariant}: `) ? why.slice(invariant.length + 2) : why;
    return new Violation(invariant, `${text}; after\n${path.join("\n")}`);
  }

  #describe(event: number): string {
    const input = (event >> 4) - 64;
    const id = this.#ids[(event >> 1) & 7];
    if (input >= 0) {
      const verb = (event & 1) === 1 ? "gets, and will again," : "gets";
      return `${id} ${verb} ${describeMessage(this.#nodes.message(input))}`;
    }
    if (input <= firstChange) {
      const { changes, transition } = this.#scope.changes[firstChange - input] as ConfChangeV2;
      const list = changes.map(({ type, nodeId }) => `${type} ${nodeId}`).join(", ");
      return `${id} proposes ${list === "" ? "to leave" : list} (${transition})`;
    }
    return `${id} ${{ [timeout]: "campaigns", [crash]: "crashes and starts", [propose]: "proposes a command", [beat]: "sends heartbeats" }[input]}`;
  }
}

/** Of the position, whether it was kept, and what it was. */
function eventOf(position: number, input: Input, keep: boolean): number {
  return ((input + 64) << 4) | (position << 1) | (keep ? 1 : 0);
}

function bitsIn(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function describeMessage({
  type,
  from,
  term,
  index,
  logTerm,
  commit,
  reject,
  entries,
}: Message): string {
  const holds = entries.map((entry) => `${entry.index}/${entry.term}`).join(" ");
  return `${type} of ${from}, term ${term}, ${index}/${logTerm}, commit ${commit}${reject ? ", refused" : ""}${holds === "" ? "" : `, entries ${holds}`}`;
}
