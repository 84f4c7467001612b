/**
 * The simulator: a whole cluster from one seed, in one process, on a clock of its own.
 *
 * Real core, codec, sessions and machines, and in most environments the real runtime over real stores; network, disks and processes
 * that fail as a script says. First safety under faults, then liveness: everything is healed for a random quorum, and within a bounded time
 * it must lead, answer and agree. One seed is one history: the same seed twice gives the same hash of all that happened. (TigerBeetle's
 * VOPR; FoundationDB's simulation.)
 *
 * Where promises are at work, every event is followed by a task of the platform's, so that all that needs no time has happened
 * before the next one. Nothing else of the platform is used: no timer, no clock, no randomness.
 */
import { concatBytes } from "../base/bytes.js";
import { decodeConfChange } from "../core/confchange-codec.js";
import { type ConfState, emptyConfState, type NodeId } from "../core/types.js";
import { createReplica } from "../machines/replica.js";
import type { Arena, Script } from "./arena.js";
import { mayFallBack } from "./atlas.js";
import { afterChange } from "./conf-model.js";
import { EventQueue } from "./event-queue.js";
import { checkWitness, type History } from "./history.js";
import { Ledger } from "./ledger.js";
import { checkLiveness } from "./liveness.js";
import { carryOut, drawScript } from "./nemesis.js";
import { SimNetwork } from "./network.js";
import type { SimPeer, SimStorage } from "./node-world.js";
import { asViolation, Observer } from "./observer.js";
import { type Image, RecordDisk } from "./record-disk.js";
import { RuntimeNode } from "./runtime-node.js";
import type { RuntimeWorld } from "./runtime-watch.js";
import { SimClients } from "./sim-clients.js";
import { SimDatabases } from "./sim-databases.js";
import { SimFiles } from "./sim-files.js";
import { SimLinks } from "./sim-links.js";
import { SimLog } from "./sim-log.js";
import type { SimMedium } from "./sim-medium.js";
import { SimNode } from "./sim-node.js";
import { drawOptions, type SimOptions, stream } from "./sim-options.js";
import { createTurns, type Steps } from "./turns.js";
import type { Violation } from "./violation.js";
import { replicaCommand } from "./watched-machine.js";
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

/** A whole seed in its "direct" environment, at once. For the environment that a seed draws: `simulateAll`. */
export function simulate({ options, ...input }: SimulationInput): SimulationResult {
  const steps = new Simulation({ ...input, options: { ...options, environment: "direct" } }).run();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** A whole seed in the environment that it draws, or that `options` names: RaftNodes over real stores as well. */
export async function simulateAll(input: SimulationInput): Promise<SimulationResult> {
  const simulation = new Simulation(input);
  if (simulation.options.environment === "direct") return simulate(input);
  const steps = simulation.run();
  const turns = createTurns();
  try {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      await turns.next();
    }
  } finally {
    turns.close();
  }
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
  readonly nodes: SimPeer[] = [];
  readonly clients: SimClients;
  readonly arena: Arena;
  readonly #log: SimLog;
  readonly #workload: Workload;
  readonly #byId = new Map<NodeId, SimPeer>();
  /** Disks of identities that are gone: what they held counted when it was acknowledged. */
  readonly #gone = new Map<NodeId, SimStorage>();
  /** What the checks have found in the runtime's own calls, where it cannot be thrown through. */
  #violation: Violation | undefined;
  #media = 0;
  #nextId: NodeId;
  readonly #world: RuntimeWorld;

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
    this.ledger.clock = this.queue;
    this.observer = new Observer(
      this.ledger,
      (id) => (this.#byId.get(id)?.disk ?? this.#gone.get(id))?.flushed,
    );
    this.#log = new SimLog(this.queue);
    const links = new SimLinks({
      random: stream(seed, "boots"),
      nodes: () => this.nodes.filter((node) => node instanceof RuntimeNode),
      at: (id) => {
        const node = this.#byId.get(id);
        return node instanceof RuntimeNode ? node : undefined;
      },
      after: (ms, run) => this.queue.after(ms, run),
      sometimes: (what) => this.ledger.note(what),
    });
    this.network = new SimNetwork(this.options.network, stream(seed, "network"), this.queue, {
      lifeOf: (id) => {
        const node = this.#byId.get(id);
        return node?.running === true ? node.life : undefined;
      },
      deliver: (_from, to, frame) => this.#byId.get(to)?.receive(_from, frame),
      sometimes: (what) => this.ledger.note(what),
      rebuilt: (a, b) => links.rebuilt(a, b),
      bootsTell: this.options.environment !== "direct",
    });
    this.#world = this.#makeWorld(conf.voters, links);
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

  #makeWorld(voters: readonly NodeId[], links: SimLinks): RuntimeWorld {
    return {
      voters,
      makeMedium: (slot) => this.#makeMedium(slot),
      mayFallBack: (id, acknowledged, left) => this.#mayFallBack(id, acknowledged, left),
      wentBack: (id) => this.observer.wentBack(id),
      storeLost: (node) => {
        const { life } = node;
        this.queue.after(1, () => {
          if (node.life === life) this.#reborn(node);
        });
      },
      check: (run) => this.#check(run),
      others: (id) => this.nodes.filter((node) => node.id !== id && node.running).map((n) => n.id),
      links,
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
      mayFallBack: (id, acknowledged, left) => this.#mayFallBack(id, acknowledged, left),
    };
  }

  #addSlot(slot: number): void {
    const { seed, environment } = this.options;
    const random = stream(seed, `node ${slot}`);
    const node =
      environment === "direct"
        ? new SimNode(
            slot,
            slot + 1,
            new RecordDisk(),
            this.#world,
            random,
            stream(seed, `disk ${slot}`),
          )
        : new RuntimeNode(slot, slot + 1, this.#world, random);
    this.nodes.push(node);
    this.#byId.set(node.id, node);
  }

  #makeMedium(slot: number): SimMedium {
    const { seed, environment, disk, segmentBytes } = this.options;
    const options = {
      random: stream(seed, `medium ${slot} ${this.#media++}`),
      meanMs: disk.meanMs,
      segmentBytes,
      slowRename: slot % 2 === 0,
      sometimes: (what: string) => this.ledger.note(what),
    };
    return environment === "files" ? new SimFiles(options) : new SimDatabases(options);
  }

  /** The first voters begin with one snapshot, spares with nothing. A RaftNode founds its cluster by itself, in the same way. */
  #found(confState: ConfState): void {
    const data = concatBytes(...createReplica<unknown>(this.#workload.machine).snapshot());
    const metadata = { ...base, confState };
    for (const node of this.nodes) {
      if (confState.voters.includes(node.id) && node instanceof SimNode) {
        node.disk.flushed.write({
          hardState: { term: base.term, vote: 0, commit: base.index },
          snapshot: { metadata, data, unknown: undefined },
          entries: [],
          sync: true,
        });
      }
      node.start();
    }
    this.ledger.note(`environment: ${this.options.environment}`);
    if (!this.options.network.generations) this.ledger.note("channels without generations");
  }

  /** The store is gone, and with it the identity: an empty one under a new id takes the slot. */
  #reborn(node: SimPeer): void {
    this.#gone.set(node.id, node.disk);
    this.#byId.delete(node.id);
    node.renew(this.#nextId++);
    this.#byId.set(node.id, node);
    node.start();
  }

  #mayFallBack(id: NodeId, acknowledged: Image, left: Image): boolean {
    const { latestConf, previousConf = latestConf } = this.ledger;
    const others = this.nodes.flatMap((node) => {
      const image = node instanceof RuntimeNode ? node.medium.sure : undefined;
      return node.id === id || image === undefined ? [] : [{ id: node.id, image }];
    });
    const confs = [latestConf, previousConf];
    for (const { image } of others) {
      for (const entry of image.entries) {
        if (entry.type === "EntryNormal" || entry.index <= this.ledger.lastCommitted) continue;
        confs.push(afterChange(latestConf, decodeConfChange(entry)));
      }
    }
    return mayFallBack(acknowledged, left, {
      confs,
      others,
      termAt: (index) => this.ledger.termAt(index),
    });
  }

  #check(run: () => void): void {
    try {
      run();
    } catch (error) {
      // Not thrown on: the runtime would make of it what it makes of errors. The loop looks before the next event.
      this.#violation ??= asViolation(error);
    }
  }

  isGone(id: NodeId): boolean {
    return !this.#byId.has(id);
  }

  *run(): Steps<SimulationResult> {
    let violation: SimulationResult["violation"];
    try {
      for (const item of this.script) this.queue.after(item.at, () => carryOut(this.arena, item));
      yield* this.runUntil(this.options.faultsMs);
      yield* checkLiveness(this);
      const commandOf = this.options.environment === "direct" ? undefined : replicaCommand;
      checkWitness(this.#workload.machine, this.ledger, this.clients.history, commandOf);
    } catch (error) {
      const { invariant, message } = asViolation(this.#violation ?? error);
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
  *runUntil(until: number, done: () => boolean = () => false): Steps<boolean> {
    const { queue } = this;
    const waits = this.options.environment !== "direct";
    do {
      // A task of the platform's: every promise that can be settled is, before anybody looks and before the next event.
      if (waits) yield;
      if (this.#violation !== undefined) throw this.#violation;
      if (done()) return true;
    } while (queue.step(until));
    return done();
  }

  get leader(): SimPeer | undefined {
    let found: SimPeer | undefined;
    for (const node of this.nodes) {
      if (node.leads && (found === undefined || node.term > found.term)) found = node;
    }
    return found;
  }
}
