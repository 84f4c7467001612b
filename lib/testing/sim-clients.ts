/**
 * Clients of a simulated cluster: they call commands exactly once by retrying them under one number, and read.
 *
 * A client belongs to a slot, as a room's outbox belongs to a tab: its command is answered when that slot's replica has applied
 * it. When the slot is gone the client moves on with what it has not heard the end of; now and then it gives a command up, whose
 * outcome is then unknown.
 */
import type { Random } from "../base/random.js";
import type { Index, Term } from "../core/types.js";
import { type Client, createClient } from "../machines/client.js";
import { encodeCommand } from "../machines/command.js";
import type { Applied } from "../machines/replica.js";
import type { Value } from "../machines/values.js";
import { answerOf, type Called, type History, type ReadOf } from "./history.js";
import { readIsFresh } from "./invariants-upkeep.js";
import type { SimPeer } from "./node-world.js";
import { chance, pick } from "./sim-options.js";

interface Pending {
  readonly owner: ClientSeat;
  readonly call: Called;
  readonly input: Value | undefined;
  attempts: number;
}

interface PendingRead {
  readonly owner: ClientSeat;
  readonly read: ReadOf;
  node: SimPeer;
  life: number;
  /** Of the node when it was asked. */
  term: Term;
  /** Known once the leader has confirmed it. */
  index: Index | undefined;
}

interface ClientSeat {
  readonly client: Client;
  slot: number;
  readonly pending: Map<number, Pending>;
}

export interface ClientWorld {
  readonly nodes: readonly SimPeer[];
  readonly random: Random;
  readonly machineVersion: number;
  now(): number;
  after(ms: number, run: () => void): void;
  sometimes(what: string): void;
}

const retryMs = 150;
const doublingsMax = 5;
/** A client waits for at most so long before it asks again. */
export const longestWaitMs: number = 2 * retryMs * 2 ** doublingsMax;
const unfinishedAtOnce = 30;

export class SimClients {
  readonly history: History = { calls: [], reads: [] };
  readonly #world: ClientWorld;
  readonly #seats: ClientSeat[];
  readonly #reads = new Map<number, PendingRead>();
  #contexts = 0;
  /** Highest index that anybody has been answered for. */
  #acknowledged: Index = 0;
  /** Slots that clients may use. */
  slots: readonly number[];
  /** Nothing is given up any more. */
  patient = false;

  constructor(world: ClientWorld, count: number, slots: readonly number[]) {
    this.#world = world;
    this.slots = slots;
    this.#seats = Array.from({ length: count }, (_, i) => ({
      client: createClient((i + 1).toString(16).padStart(32, "0"), 0),
      slot: slots[i % slots.length] ?? 0,
      pending: new Map(),
    }));
  }

  get waiting(): number {
    let count = this.#reads.size;
    for (const { pending } of this.#seats) count += pending.size;
    return count;
  }

  call(which: number, name: string, input: Value | undefined): void {
    const seat = this.#seats[which % this.#seats.length] as ClientSeat;
    if (seat.pending.size >= unfinishedAtOnce) return;
    const sequence = seat.client.begin();
    const call: Called = {
      client: seat.client.id,
      sequence,
      name,
      input,
      calledAt: this.#world.now(),
      answeredAt: undefined,
      answer: undefined,
    };
    this.history.calls.push(call);
    const pending: Pending = { owner: seat, call, input, attempts: 0 };
    seat.pending.set(sequence, pending);
    this.#attempt(pending);
  }

  #attempt(pending: Pending): void {
    const { owner, call, input } = pending;
    if (!owner.pending.has(call.sequence)) return;
    const { random } = this.#world;
    const node = this.#seatNode(owner);
    pending.attempts++;
    const known = node?.replica.outcomeOf(owner.client.id, call.sequence);
    if (known !== undefined && node !== undefined) {
      const outcome = {
        ...known,
        client: call.client,
        sequence: call.sequence,
        repeated: true,
        cause: undefined,
      };
      this.#answer(pending, outcome as Applied, node.applied);
      return;
    }
    if (pending.attempts > 3 && !this.patient && chance(random, 0.2)) {
      owner.pending.delete(call.sequence);
      owner.client.finish(call.sequence);
      this.#world.sometimes("a command's outcome stays unknown");
      return;
    }
    const command = encodeCommand({
      client: call.client,
      sequence: call.sequence,
      low: owner.client.low(),
      since: owner.client.since,
      author: "client",
      machineVersion: this.#world.machineVersion,
      name: call.name,
      input,
    });
    node?.submit(command);
    // Later and later: a cluster that is slow must not be buried under repetitions.
    const wait = retryMs * 2 ** Math.min(pending.attempts - 1, doublingsMax);
    this.#world.after(wait + random.below(wait), () => this.#attempt(pending));
  }

  /** Where the client sits; it moves when nobody answers there. */
  #seatNode(seat: ClientSeat): SimPeer | undefined {
    const { nodes, random } = this.#world;
    const at = nodes[seat.slot];
    const gone = at === undefined || !at.running || at.frozen || !this.slots.includes(seat.slot);
    if (gone || (!this.patient && chance(random, 0.1))) {
      seat.slot = pick(random, this.slots);
    }
    return nodes[seat.slot];
  }

  /** A slot's replica has applied a command. */
  applied(node: SimPeer, outcome: Applied, index: Index): void {
    if (outcome.kind !== "done" && outcome.kind !== "rejected") return;
    const seat = this.#seats[Number.parseInt(outcome.client.slice(-4), 16) - 1];
    const pending = seat?.pending.get(outcome.sequence);
    if (pending !== undefined && seat?.slot === node.slot) this.#answer(pending, outcome, index);
  }

  #answer({ owner, call }: Pending, outcome: Applied, index: Index): void {
    owner.pending.delete(call.sequence);
    owner.client.finish(call.sequence);
    call.answer = answerOf(outcome);
    call.answeredAt = this.#world.now();
    this.#acknowledged = Math.max(this.#acknowledged, index);
    this.#world.sometimes("a command was answered");
  }

  // — reads —

  read(which: number): void {
    const owner = this.#seats[which % this.#seats.length] as ClientSeat;
    const node = this.#seatNode(owner);
    if (node?.core === undefined || node.frozen) return;
    const number = ++this.#contexts;
    const read: ReadOf = {
      client: owner.client.id,
      calledAt: this.#world.now(),
      floor: this.#acknowledged,
      answeredAt: undefined,
      index: 0,
      state: undefined,
    };
    const { life, term } = node;
    this.#reads.set(number, { owner, read, node, life, term, index: undefined });
    if (!node.readIndex(contextOf(number))) this.#reads.delete(number);
    // What is not answered has no effect: it is asked again under a new context, or dropped, which is the same here.
    this.#world.after(3_000, () => this.#reads.delete(number));
  }

  confirmed(node: SimPeer, context: Uint8Array, index: Index): void {
    const pending = this.#reads.get(numberOf(context));
    if (pending === undefined || pending.node !== node || pending.life !== node.life) return;
    pending.index = index;
    this.serve(node);
  }

  dropped(context: Uint8Array): void {
    this.#reads.delete(numberOf(context));
  }

  /** Serves what may be served: confirmed, and applied here. */
  serve(node: SimPeer): void {
    if (this.#reads.size === 0) return;
    for (const [number, { index, read, life, term, node: at }] of this.#reads) {
      if (at !== node || index === undefined) continue;
      if (life !== node.life) {
        this.#reads.delete(number);
        continue;
      }
      if (node.applied < index) continue;
      this.#reads.delete(number);
      read.index = node.applied;
      read.state = node.replica.state;
      read.answeredAt = this.#world.now();
      readIsFresh(node.id, node.applied, read.floor);
      this.#acknowledged = Math.max(this.#acknowledged, node.applied);
      this.#world.sometimes("a linearizable read was served");
      if (node.term > term) this.#world.sometimes("a read outlived a leader");
    }
  }
}

function contextOf(number: number): Uint8Array {
  const context = new Uint8Array(9);
  context[0] = 1;
  new DataView(context.buffer).setUint32(1, number);
  return context;
}

function numberOf(context: Uint8Array): number {
  return new DataView(context.buffer, context.byteOffset, context.length).getUint32(1);
}
