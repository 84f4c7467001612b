/**
 * A room's peers in one process: real cores, real codec, real machines and autopilot over memory stores, a network that can be
 * cut, and a clock that moves when the test says so.
 */
import type { Cancel, Clock } from "../../lib/base/clock.js";
import { seededRandom } from "../../lib/base/random.js";
import type { NodeId } from "../../lib/core/types.js";
import type { AnyMachine } from "../../lib/machines/machine.js";
import { type Applied, createReplica } from "../../lib/machines/replica.js";
import { RoomPeer, type RoomPeerEvents } from "../../lib/room/peer.js";
import { Replicated } from "../../lib/room/replicated.js";
import {
  createMemoryMedium,
  type MemoryMedium,
  openMemoryStore,
} from "../../lib/storage/memory.js";
import type { PeerEvent, Transport } from "../../lib/transport/transport.js";

/** Time that stands still until `advance`. */
export class VirtualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ due: number; period: number | undefined; run: () => void }>();

  now = (): number => this.#now;
  wall = (): number => 1_700_000_000_000 + this.#now;
  after = (ms: number, run: () => void): Cancel => this.#add(ms, undefined, run);
  every = (ms: number, run: () => void): Cancel => this.#add(ms, ms, run);

  advance(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.due > this.#now || !this.#timers.has(timer)) continue;
      if (timer.period === undefined) this.#timers.delete(timer);
      else timer.due += timer.period;
      timer.run();
    }
  }

  #add(ms: number, period: number | undefined, run: () => void): Cancel {
    const timer = { due: this.#now + ms, period, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}

/** Links between peers; frames arrive in order at the next `deliver`. */
export class Network {
  readonly #ends = new Map<NodeId, End>();
  readonly #cut = new Set<string>();
  #queue: { from: NodeId; to: NodeId; frame: Uint8Array }[] = [];
  #generation = 0;
  /** Frames that were sent so far. */
  sent = 0;

  transport(self: NodeId): Transport {
    const end = new End(self, this);
    this.#ends.set(self, end);
    return end;
  }

  /** Opens every link that is not cut; call it after peers have started. */
  linkAll(): void {
    for (const a of this.#ends.keys())
      for (const b of this.#ends.keys()) if (a < b) this.link(a, b);
  }

  link(a: NodeId, b: NodeId): void {
    this.#cut.delete(pair(a, b));
    const generation = ++this.#generation;
    this.#ends.get(a)?.up(b, generation);
    this.#ends.get(b)?.up(a, generation);
  }

  cut(a: NodeId, b: NodeId): void {
    this.#cut.add(pair(a, b));
    this.#ends.get(a)?.down(b);
    this.#ends.get(b)?.down(a);
  }

  /** The link stays open and carries nothing: a frozen tab. */
  mute(a: NodeId, b: NodeId): void {
    this.#cut.add(pair(a, b));
  }

  unmute(a: NodeId, b: NodeId): void {
    this.#cut.delete(pair(a, b));
  }

  remove(self: NodeId): void {
    this.#ends.delete(self);
    for (const end of this.#ends.values()) end.down(self);
  }

  send(from: NodeId, to: NodeId, frame: Uint8Array): boolean {
    if (!this.#ends.has(to)) return false;
    this.sent++;
    this.#queue.push({ from, to, frame: frame.slice() });
    return true;
  }

  /** Delivers what is under way; true if there was anything. */
  deliver(): boolean {
    const frames = this.#queue;
    this.#queue = [];
    for (const { from, to, frame } of frames) {
      if (!this.#cut.has(pair(from, to))) this.#ends.get(to)?.receive(from, frame);
    }
    return frames.length > 0;
  }
}

class End implements Transport {
  readonly self: NodeId;
  readonly #network: Network;
  readonly #linked = new Set<NodeId>();
  readonly #listeners = new Set<(event: PeerEvent) => void>();
  receive: (from: NodeId, frame: Uint8Array) => void = () => {};

  constructor(self: NodeId, network: Network) {
    this.self = self;
    this.#network = network;
  }

  send(to: NodeId, frame: Uint8Array): boolean {
    return this.#linked.has(to) && this.#network.send(this.self, to, frame);
  }
  onFrame(receive: (from: NodeId, frame: Uint8Array) => void): void {
    this.receive = receive;
  }
  onPeer(listener: (event: PeerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  peers(): NodeId[] {
    return [...this.#linked];
  }
  async close(): Promise<void> {
    this.#listeners.clear();
    this.#network.remove(this.self);
  }
  up(peer: NodeId, generation: number): void {
    if (this.#linked.has(peer)) return;
    this.#linked.add(peer);
    for (const listener of this.#listeners)
      listener({ type: "up", peer, generation, via: "memory" });
  }
  down(peer: NodeId): void {
    if (!this.#linked.delete(peer)) return;
    for (const listener of this.#listeners) {
      listener({ type: "down", peer, generation: 0, reason: "cut" });
    }
  }
}

function pair(a: NodeId, b: NodeId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}

export interface Member<S> {
  readonly peer: RoomPeer<S>;
  readonly medium: MemoryMedium;
  readonly applied: Applied[];
  readonly removals: string[];
  readonly failures: unknown[];
}

export class Cluster<S> {
  readonly clock = new VirtualClock();
  readonly network = new Network();
  readonly members: Member<S>[] = [];
  readonly #machine: AnyMachine;

  constructor(machine: AnyMachine) {
    this.#machine = machine;
  }

  /** Opens peer `id` and links it with everybody. @param options.medium  reopens what an earlier life left */
  async open(
    id: NodeId,
    options: { founds?: boolean; author?: string; adopted?: boolean; medium?: MemoryMedium } = {},
  ): Promise<Member<S>> {
    const medium = options.medium ?? createMemoryMedium();
    const store = await openMemoryStore({ medium });
    const applied: Applied[] = [];
    const removals: string[] = [];
    const failures: unknown[] = [];
    const events: RoomPeerEvents = {
      applied: (one) => applied.push(one),
      restored: () => {},
      resend: () => {},
      changed: () => {},
      removed: () => removals.push("removed"),
      failed: (error) => failures.push(error),
    };
    const peer = new RoomPeer<S>({
      slot: { id: String(id), storeName: String(id), fresh: true, release: () => {} },
      store,
      member: {
        id,
        publicKey: new Uint8Array(32).fill(id),
        storeId: new Uint8Array(16).fill(id),
        name: `device ${id}`,
        author: options.author ?? `author ${id}`,
      },
      transport: this.network.transport(id),
      credentials: () => undefined,
      replicated: new Replicated<S>(createReplica<S>(this.#machine)),
      machine: this.#machine,
      adopted: options.adopted ?? false,
      founds: options.founds ?? false,
      clock: this.clock,
      random: seededRandom(id),
      events,
    });
    await peer.start();
    const member = { peer, medium, applied, removals, failures };
    this.members.push(member);
    this.network.linkAll();
    return member;
  }

  /** The page is gone without a word. */
  kill(member: Member<S>): void {
    this.members.splice(this.members.indexOf(member), 1);
    this.network.remove(member.peer.id);
    void member.peer.close();
  }

  get leader(): RoomPeer<S> | undefined {
    const leaders = this.members.filter((one) => one.peer.node.status().role === "leader");
    leaders.sort((a, b) => b.peer.node.status().term - a.peer.node.status().term);
    return leaders[0]?.peer;
  }

  /** Moves time until `holds`, at most `limitMs` of it. */
  async until(what: string, holds: () => boolean, limitMs = 60_000): Promise<void> {
    for (let passed = 0; !holds(); passed += 50) {
      if (passed > limitMs)
        throw new Error(`not within ${limitMs} ms: ${what}\n${this.describe()}`);
      await this.step();
    }
  }

  /** 50 ms, with everything that follows from them. */
  async step(): Promise<void> {
    this.clock.advance(50);
    do {
      // Memory stores answer in microtasks; a turn of the event loop lets all of them run.
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.network.deliver());
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) await this.step();
  }

  describe(): string {
    return this.members
      .map(({ peer, failures }) => {
        const { role, term, commit, applied, leader } = peer.node.status();
        const { voters, learners } = peer.confState;
        return `${peer.id}: ${role} of term ${term}, leader ${leader}, commit ${commit}, applied ${applied}, voters ${voters}, learners ${learners} ${failures.join()}`;
      })
      .join("\n");
  }
}
