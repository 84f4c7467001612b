/**
 * The simulator: a whole cluster from one seed, in one process, on a clock of its own.
 *
 * Real core, codec, sessions and machines; network, disks and processes that fail as a script says. First safety under faults, then
 * liveness: everything is healed for a random quorum, and within a bounded time it must lead, answer and agree. One seed is one
 * history: the same seed twice gives the same hash of all that happened. (TigerBeetle's VOPR; FoundationDB's simulation.)
 *
 * Not here: bytes on disks (wal-torture.ts), the asynchronous runtime.
 */
import { concatBytes } from "../base/bytes.js";
import { type ConfState, emptyConfState, type NodeId } from "../core/types.js";
import { createReplica } from "../machines/replica.js";
import { EventQueue } from "./event-queue.js";
import { checkWitness, type History } from "./history.js";
import { Ledger } from "./ledger.js";
import { checkLiveness } from "./liveness.js";
import { type Arena, carryOut, drawScript, type Script } from "./nemesis.js";
import { SimNetwork } from "./network.js";
import type { NodeWorld } from "./node-world.js";
import { asViolation, Observer } from "./observer.js";
import { RecordDisk } from "./record-disk.js";
import { SimClients } from "./sim-clients.js";
import { SimLog } from "./sim-log.js";
import { SimNode } from "./sim-node.js";
import { drawOptions, type SimOptions, stream } from "./sim-options.js";
import { registerWorkload, type Workload } from "./workload.js";

export interface SimulationInput {
  readonly seed: number;
  readonly workload?: Workload;
  /** In place of what the seed draws. */
  readonly options?: Partial<SimOptions>;
  readonly script?: Script;
}

export interface SimulationResult {
  readonly seed: number;
  readonly options: SimOptions;
  readonly script: Script;
  /** Undefined: everything held. */
  readonly violation:
    | { readonly invariant: string; readonly message: string; readonly at: number }
    | undefined;
  readonly events: number;
  /** Of all that happened: equal for equal inputs. */
  readonly hash: number;
  /** How often what must happen sometimes happened. */
  readonly sometimes: ReadonlyMap<string, number>;
  readonly history: History;
  /** The last events, a line each. */
  log(): string;
}

export function simulate(input: SimulationInput): SimulationResult {
  return new Simulation(input).run();
}

/** Index and term of the snapshot that every first voter starts from. */
const base = { index: 1, term: 1 };

export class Simulation {
  readonly options: SimOptions;
  readonly script: Script;
  readonly queue: EventQueue = new EventQueue();
  readonly ledger: Ledger;
  readonly observer: Observer;
  readonly network: SimNetwork;
  readonly nodes: SimNode[] = [];
  readonly clients: SimClients;
  readonly arena: Arena;
  readonly #log: SimLog;
  readonly #workload: Workload;
  readonly #byId = new Map<NodeId, SimNode>();
  /** Disks of identities that are gone: what they held counted when it was acknowledged. */
  readonly #disks = new Map<NodeId, RecordDisk>();
  #nextId: NodeId;
  readonly #world: NodeWorld<SimNode>;

  constructor({ seed, workload = registerWorkload, options, script }: SimulationInput) {
    this.options = { ...drawOptions(seed), ...options, seed };
    this.#workload = workload;
    this.script = script ?? drawScript(this.options, workload);
    const { voters, spares, clients } = this.options;
    const conf: ConfState = {
      ...emptyConfState,
      voters: Array.from({ length: voters }, (_, i) => i + 1),
    };
    this.ledger = new Ledger(base, conf);
    this.observer = new Observer(this.ledger, (id) => this.#disks.get(id)?.flushed);
    this.#log = new SimLog(this.queue);
    this.network = new SimNetwork(this.options.network, stream(seed, "network"), this.queue, {
      lifeOf: (id) => {
        const node = this.#byId.get(id);
        return node?.running === true ? node.life : undefined;
      },
      deliver: (_from, to, frame) => this.#byId.get(to)?.receive(_from, frame),
      sometimes: (what) => this.ledger.note(what),
    });
    this.#world = this.#makeWorld();
    this.#nextId = voters + spares + 1;
    for (let slot = 0; slot < voters + spares; slot++) this.#addSlot(slot);
    this.clients = new SimClients(
      {
        nodes: this.nodes,
        random: stream(seed, "clients"),
        machineVersion: workload.machine.version,
        now: () => this.queue.now,
        after: (ms, run) => this.queue.after(ms, run),
        sometimes: (what) => this.ledger.note(what),
      },
      clients,
      this.nodes.map(({ slot }) => slot),
    );
    this.arena = this.#makeArena();
    this.#found(conf);
  }

  #makeWorld(): NodeWorld<SimNode> {
    return {
      options: this.options,
      machine: this.#workload.machine,
      observer: this.observer,
      calm: () => this.network.calm,
      now: () => this.queue.now,
      after: (ms, run) => this.queue.after(ms, run),
      send: (from, to, frame) => this.network.send(from.id, to, frame),
      log: (node, what, about) => this.#log.add(node, what, about),
      applied: (node, outcome, index) => this.clients.applied(node, outcome, index),
      progressed: (node) => this.clients.serve(node),
      read: (node, { context, index }) => this.clients.confirmed(node, context, index),
      droppedRead: (_node, context) => this.clients.dropped(context),
    };
  }

  #makeArena(): Arena {
    return {
      options: this.options,
      nodes: this.nodes,
      network: this.network,
      clients: this.clients,
      latestConf: () => this.ledger.latestConf,
      isGone: (id) => !this.#byId.has(id),
      now: () => this.queue.now,
      after: (ms, run) => this.queue.after(ms, run),
      sometimes: (what) => this.ledger.note(what),
      log: (node, what, about) => this.#log.add(node, what, about),
      reborn: (node) => this.#reborn(node),
    };
  }

  #addSlot(slot: number): void {
    const { seed } = this.options;
    const id = slot + 1;
    const disk = new RecordDisk();
    const node = new SimNode(
      slot,
      id,
      disk,
      this.#world,
      stream(seed, `node ${slot}`),
      stream(seed, `disk ${slot}`),
    );
    this.nodes.push(node);
    this.#disks.set(id, disk);
    this.#byId.set(id, node);
  }

  /** The first voters begin with one snapshot; spares with nothing. */
  #found(confState: ConfState): void {
    const data = concatBytes(...createReplica<unknown>(this.#workload.machine).snapshot());
    const metadata = { ...base, confState };
    for (const node of this.nodes) {
      if (confState.voters.includes(node.id)) {
        node.disk.flushed.write({
          hardState: { term: base.term, vote: 0, commit: base.index },
          snapshot: { metadata, data, unknown: undefined },
          entries: [],
          sync: true,
        });
      }
      node.start();
    }
  }

  /** The store is gone, and with it the identity: an empty one under a new id takes the slot. */
  #reborn(node: SimNode): void {
    node.crash(1);
    this.#byId.delete(node.id);
    node.id = this.#nextId++;
    node.disk = new RecordDisk();
    this.#disks.set(node.id, node.disk);
    this.#byId.set(node.id, node);
    node.start();
  }

  isGone(id: NodeId): boolean {
    return !this.#byId.has(id);
  }

  run(): SimulationResult {
    let violation: SimulationResult["violation"];
    try {
      for (const item of this.script) this.queue.after(item.at, () => carryOut(this.arena, item));
      this.runUntil(this.options.faultsMs);
      checkLiveness(this);
      checkWitness(this.#workload.machine, this.ledger, this.clients.history);
    } catch (error) {
      const { invariant, message } = asViolation(error);
      violation = { invariant, message, at: this.queue.now };
    }
    const { seed } = this.options;
    return {
      seed,
      options: this.options,
      script: this.script,
      violation,
      events: this.queue.count,
      hash: this.#log.hash,
      sometimes: this.ledger.sometimes,
      history: this.clients.history,
      log: () => this.#log.text(),
    };
  }

  /** Lets everything happen that is due up to `until`; stops early when `done`. */
  runUntil(until: number, done: () => boolean = () => false): boolean {
    do {
      this.ledger.now = this.queue.now;
      if (done()) return true;
    } while (this.queue.step(until));
    return done();
  }

  get leader(): SimNode | undefined {
    let found: SimNode | undefined;
    for (const node of this.nodes) {
      if (node.leads && (found === undefined || node.term > found.term)) found = node;
    }
    return found;
  }
}
