/**
 * RuntimeNode: one slot of a simulated cluster: a whole RaftNode with a replica on it, over a real store.
 *
 * The runtime is as it ships; it is handed a simulated process's clock and randomness, a transport into the simulated network and a
 * store whose medium is simulated. Everything its core does is looked at by the invariants (watched-core.ts), everything its store
 * answers as well (watched-store.ts). A crash ends the process between any two of its tasks.
 *
 * Not here: supervising (who starts it again, and what becomes of a store that is lost: simulator.ts and nemesis.ts).
 */
import { isLogboomError, type LogboomError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import { type RawNode, raftOf } from "../core/raw-node.js";
import type { ConfChangeV2, ConfState, Index, NodeId, Term } from "../core/types.js";
import type { Applied, Replica } from "../machines/replica.js";
import type { MemberChange } from "../runtime/member-changes.js";
import { RaftNode } from "../runtime/raft-node.js";
import type { OpenedStore } from "../storage/storage.js";
import type { Boot } from "../transport/channel.js";
import { checkedMetrics } from "./checked-metrics.js";
import { Elder } from "./elder.js";
import { nodeSettings, type SimPeer } from "./node-world.js";
import { asViolation, type Observer } from "./observer.js";
import { coreWatch, machineWatch, type RuntimeWorld, storeWatch } from "./runtime-watch.js";
import { isDamage, type SimMedium, whyGivenUp } from "./sim-medium.js";
import { SimProcess } from "./sim-process.js";
import { SimTransport } from "./sim-transport.js";
import { watchCore } from "./watched-core.js";
import { WatchedMachine } from "./watched-machine.js";
import { watchStore } from "./watched-store.js";

export class RuntimeNode implements SimPeer {
  readonly slot: number;
  id: NodeId;
  medium: SimMedium;
  life = 0;
  core: RawNode | undefined;
  wallOffset = 0;
  /** Its store has told it of a failure. */
  #failed = false;
  /** Openings are told what the last one had acknowledged, until one has loaded its log. */
  knowsWhatItHad = false;
  /** Somebody has heard of a later boot of ours: the store went back behind its counter, and who runs on it is not heard. */
  outdated = false;
  /** The first of two processes under this identity. */
  elder: Elder | undefined;
  readonly #world: RuntimeWorld;
  readonly #observer: Observer;
  readonly #random: Random;
  readonly #rate: number;
  #process: SimProcess | undefined;
  #raft: RaftNode<Applied> | undefined;
  #transport: SimTransport | undefined;
  #machine: WatchedMachine;
  #frozenUntil = 0;

  constructor(slot: number, id: NodeId, world: RuntimeWorld, random: Random) {
    this.slot = slot;
    this.id = id;
    this.#world = world;
    this.#observer = world.observer;
    this.#random = random;
    this.#rate = 1 + world.options.skew * (random.below(2_001) / 1_000 - 1);
    this.medium = world.makeMedium(slot);
    this.#machine = new WatchedMachine(world.machine, () => undefined);
  }

  get replica(): Replica<unknown> {
    return this.#machine.replica;
  }
  get applied(): Index {
    return this.#machine.applied;
  }
  get confState(): ConfState {
    return this.#machine.confState;
  }
  get disk(): SimMedium {
    return this.medium;
  }
  get running(): boolean {
    return this.#process !== undefined;
  }
  get frozen(): boolean {
    return this.#frozenUntil > this.#world.now();
  }
  get leads(): boolean {
    return this.core !== undefined && raftOf(this.core).role === "leader";
  }
  get term(): Term {
    return this.core === undefined ? 0 : raftOf(this.core).term;
  }
  get sound(): boolean {
    const { suspect, rotten } = this.medium;
    if (this.outdated) return false;
    return suspect === undefined && !rotten && !this.#observer.mayStop(this.id);
  }
  /** As whom it speaks, once it does. */
  get boot(): Boot | undefined {
    return this.#transport?.boot;
  }
  get frozenUntil(): number {
    return this.#frozenUntil;
  }
  set frozenUntil(until: number) {
    this.#frozenUntil = until;
    if (until > this.#world.now()) this.#process?.freeze();
  }

  // — life and death —

  start(): void {
    const process = new SimProcess(this.#world, this.#rate, () => this.wallOffset);
    this.life++;
    this.#process = process;
    this.#frozenUntil = 0;
    this.outdated = this.#failed = false;
    const current = (): boolean => this.#isCurrent(process);
    const watch = machineWatch(this, this.#world);
    this.#machine = new WatchedMachine(this.#world.machine, () => (current() ? watch : undefined));
    this.#world.log(this, "start");
    void this.#open(process, current).catch((error) => {
      if (current()) this.#stopped(error);
    });
  }

  crash(survives: number): void {
    if (!this.running) return;
    const { medium } = this;
    const writes = medium.underWay.size > 0;
    this.#observer.crashing(this, writes);
    if (writes && survives === 0) this.#observer.lostWrite(this);
    this.#world.log(this, "crash");
    this.#world.links.linked(this.id, false);
    this.#letGo();
    this.elder?.end();
    medium.crash(survives, (left) => this.#world.mayFallBack(this.id, medium.flushed, left));
  }

  #letGo(): void {
    this.#process?.end();
    this.#process = undefined;
    this.#raft = undefined;
    this.#transport = undefined;
    this.core = undefined;
    this.life++;
  }

  /** A second process begins on a copy of the store, or on the store itself, under the same identity; the first one lives on beside it. */
  doubleUp(copy: boolean, ms: number): void {
    const first = this.#process;
    if (first === undefined) return;
    this.#world.log(this, copy ? "is copied" : "is opened twice");
    const { medium } = this;
    const backup = medium.backUp();
    this.#world.links.linked(this.id, false);
    this.elder?.end();
    const elder = new Elder(first, this.#transport, medium);
    this.elder = elder;
    this.#process = undefined;
    this.#letGo();
    if (copy) {
      this.medium = this.#world.makeMedium(this.slot);
      this.medium.flushed = medium.flushed;
      for (const begun of medium.underWay) this.medium.underWay.add(begun);
      this.medium.restore(backup);
    }
    this.#world.after(ms, () => elder.end());
    this.start();
  }

  /** The browser takes the database away while it is open. */
  loseConnection(how: "close" | "versionchange"): void {
    const process = this.#process;
    if (process === undefined || this.frozen) return;
    // Said first: the node is told within the call.
    this.medium.failing = true;
    if (!this.medium.takeAway(process, how)) this.medium.failing = false;
    else this.#observer.sometimes("database taken away");
  }

  renew(id: NodeId): void {
    this.crash(1);
    this.id = id;
    this.medium = this.#world.makeMedium(this.slot);
  }

  thaw(): void {
    this.#frozenUntil = 0;
    const late = this.#process?.thaw() ?? 0;
    if (late > 1) this.#observer.sometimes("burst after a freeze");
  }

  #isCurrent(process: SimProcess): boolean {
    return this.#process === process && process.alive;
  }

  async #open(process: SimProcess, current: () => boolean): Promise<void> {
    const { options, voters } = this.#world;
    const { medium, id } = this;
    const machine = this.#machine;
    const check = (run: () => void): void => {
      if (current()) this.#world.check(run);
    };
    const store = await medium.open(process, medium.openOptions(this.knowsWhatItHad));
    if (!current()) return;
    const transport = this.#makeTransport(process, store);
    const raft = await RaftNode.open<Applied>({
      id,
      store: watchStore(store, {
        ...storeWatch(this, this.#world, machine),
        medium,
        current,
        check,
        failed: () => {
          this.#failed = true;
        },
        loaded: (loaded) => {
          this.knowsWhatItHad = medium.replaced = false;
          machine.loaded(loaded);
        },
      }),
      transport,
      machine,
      clock: process.clock,
      random: this.#random,
      ...nodeSettings(options),
      ...(this.slot % 2 === 1 ? { metrics: checkedMetrics(id, check) } : {}),
      ...(voters.includes(id) ? { bootstrap: { voters } } : {}),
      watch: (core) => this.#watch(core, current),
    });
    if (!current()) return;
    this.#raft = raft;
    this.#transport = transport;
    this.#world.links.introduce(id, transport);
    raft.observe((event) => {
      if (event.type !== "halted") return;
      const { error } = event.halt;
      if (current()) this.#stopped(error);
      else if (isLogboomError(error.cause) && error.cause.code === "STORAGE_LOCKED")
        this.#observer.sometimes("the first of two owners was refused");
    });
    this.#world.links.linked(this.id, true);
    this.elder?.goOn();
  }

  #makeTransport(process: SimProcess, { identity }: OpenedStore): SimTransport {
    const { id } = this;
    return new SimTransport(id, this.#world.links.bootOf(identity.boot), {
      // The first of two speaks as long as it lives.
      send: (to, bytes) => !process.alive || this.#world.send(this, to, bytes),
      saying: (frame) => {
        if (!this.#failed || !this.#isCurrent(process)) return;
        this.#world.check(() => this.#observer.sayingAfterFailure(this, frame));
      },
      peers: () => (this.#isCurrent(process) ? this.#world.others(id) : []),
      now: () => this.#world.now(),
      generations: this.#world.options.network.generations,
      refused: (from, refused) => this.#world.links.refused(from, refused),
    });
  }

  /** Somebody speaks as `boot` of `peer`. */
  hears(peer: NodeId, boot: Boot): void {
    const transport = this.#transport;
    this.#process?.enter(() => transport?.hears(peer, boot));
  }

  /** It has ended by itself: with a reason that was given to it, or there is a bug. */
  #stopped(error: unknown): void {
    const cause = isLogboomError(error) && error.code === "HALTED" ? error.cause : error;
    const code = isLogboomError(cause) ? cause.code : undefined;
    const { medium, id } = this;
    this.#world.log(this, "stops", code);
    if (isDamage(code) && medium.failing) {
      this.#diskFailed();
      return;
    }
    const reason = whyGivenUp(code, medium, this.#observer.mayStop(id));
    if (reason !== undefined) {
      this.#observer.sometimes(reason);
      this.#world.storeLost(this);
      return;
    }
    this.#world.check(() => {
      throw asViolation(cause);
    });
  }

  #diskFailed(): void {
    this.#observer.sometimes("disk failed");
    this.crash(this.#world.options.disk.survives);
    this.knowsWhatItHad = this.#random.below(2) === 0;
    // Once all is healed, who is down stays down; a failure that was under way then is not one of those.
    const { calm } = this.#world;
    const late = calm();
    this.#world.after(50 + this.#random.below(300), () => {
      if (!this.running && (late || !calm())) this.start();
    });
  }

  // — input —

  receive(from: NodeId, frame: Uint8Array): void {
    this.elder?.receive(from, frame);
    const transport = this.#transport;
    this.#process?.enter(() => transport?.deliver(from, frame));
  }

  /** The link to `peer` came up or went down. */
  link(peer: NodeId, up: boolean, generation: number): void {
    const transport = this.#transport;
    this.#process?.enter(() => transport?.link(peer, up, generation));
  }

  submit(command: Uint8Array): boolean {
    return this.#ask(
      (raft) => raft.propose(command),
      ({ index, result }) => this.#observer.answered(this, command, result, index),
      ({ code, reason }) => this.#observer.sometimes(`proposal ended: ${reason ?? code}`),
    );
  }

  readIndex(context: Uint8Array): boolean {
    return this.#ask(
      (raft) => raft.readIndex(),
      (index) => this.#world.read(this, { context, index }),
      () => this.#world.droppedRead(this, context),
    );
  }

  transfer(to: NodeId): void {
    this.#ask(
      (raft) => raft.transferLeadership({ to }),
      () => {},
    );
  }

  proposeChange(change: ConfChangeV2): boolean {
    const { changes, transition } = change;
    // A joint configuration that somebody must ask to leave is the core's alone.
    if (changes.length === 0 || transition === "jointExplicit")
      return this.core?.proposeConfChange(change).accepted === true;
    const members = changes.map(({ nodeId: id, type }): MemberChange => {
      if (type === "ConfChangeRemoveNode") return { id, becomes: "removed" };
      return { id, becomes: type === "ConfChangeAddNode" ? "voter" : "learner" };
    });
    return this.#ask(
      (raft) => raft.change(members),
      () => this.#observer.sometimes("a change of membership was answered"),
    );
  }

  // What the runtime has no call for: the core is told, and the next tick carries it out.

  campaign(): void {
    this.core?.campaign();
  }

  forgetLeader(): void {
    this.core?.forgetLeader();
  }

  requestSnapshot(): boolean {
    return this.core?.requestSnapshot().accepted === true;
  }

  /** A request of the runtime: it ends with a result, or with an error that says what became of it. */
  #ask<T>(
    request: (raft: RaftNode<Applied>) => Promise<T>,
    done: (result: T) => void,
    refused: (error: LogboomError) => void = () => {},
  ): boolean {
    const raft = this.#raft;
    const process = this.#process;
    if (raft === undefined || process === undefined || this.frozen) return false;
    request(raft).then(
      (result) => {
        if (this.#isCurrent(process)) this.#world.check(() => done(result));
      },
      (error) => {
        this.#world.check(() => {
          if (!isLogboomError(error)) throw asViolation(error);
          if (this.#isCurrent(process)) refused(error);
        });
      },
    );
    return true;
  }

  // — being watched —

  #watch(core: RawNode, current: () => boolean): void {
    if (!current()) return;
    this.core = core;
    this.#world.check(() => this.#observer.started(this));
    const watch = coreWatch(this, this.#world, this.#machine);
    watchCore(core, () => (current() && this.core === core ? watch : undefined));
  }
}
