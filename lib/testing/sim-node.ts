/**
 * SimNode: one slot of a simulated cluster: a real core, a real replica, the real codec, over a RecordDisk.
 *
 * It does what runtime's driver does (send, persist one write at a time and join what waits, and beside it apply, snapshot, compact:
 * direct-machine.ts), but synchronously and with completions as events, so that a crash can come between any two steps. Every call of
 * the core is looked at by the invariants before the next one.
 */
import type { Random } from "../base/random.js";
import { decodeMessages, encodeMessages } from "../codec/raftpb.js";
import { RawNode, raftOf } from "../core/raw-node.js";
import type { ProposeResult } from "../core/results.js";
import type {
  ConfChangeV2,
  ConfState,
  Index,
  Message,
  NodeId,
  Term,
  Write,
} from "../core/types.js";
import { decodeCommand, type Stamp, stamp } from "../machines/command.js";
import type { Replica } from "../machines/replica.js";
import { createStamper } from "../machines/stamper.js";
import { controlFrame, packFrame, raftFrame, unpackFrame } from "../runtime/frames.js";
import { joinWrites } from "../storage/join-writes.js";
import { DirectMachine } from "./direct-machine.js";
import { coreConfig, type NodeWorld, type SimPeer } from "./node-world.js";
import type { Observer } from "./observer.js";
import { RecordDisk } from "./record-disk.js";
import { exponential } from "./sim-options.js";

export class SimNode implements SimPeer {
  readonly slot: number;
  id: NodeId;
  disk: RecordDisk;
  /** Raised by each start and each crash. */
  life = 0;
  core: RawNode | undefined;
  observer: Observer;
  machine: DirectMachine;
  frozenUntil = 0;
  readonly sound = true;
  wallOffset = 0;
  readonly #world: NodeWorld;
  readonly #random: Random;
  readonly #diskRandom: Random;
  #waiting: Write | undefined;
  #inFlight: Write | undefined;
  #stamp: (() => Stamp) | undefined;
  /** Frames that came while it was frozen. */
  #inbox: { readonly from: NodeId; readonly frame: Uint8Array }[] = [];
  readonly #tickMs: number;

  constructor(
    slot: number,
    id: NodeId,
    disk: RecordDisk,
    world: NodeWorld,
    random: Random,
    diskRandom: Random,
  ) {
    this.slot = slot;
    this.id = id;
    this.disk = disk;
    this.#world = world;
    this.#random = random;
    this.#diskRandom = diskRandom;
    const { skew, tickMs } = world.options;
    this.#tickMs = tickMs * (1 + skew * (random.below(2_001) / 1_000 - 1));
    this.observer = world.observer;
    this.machine = this.#makeMachine();
  }

  get replica(): Replica<unknown> {
    return this.machine.replica;
  }

  get applied(): Index {
    return this.machine.applied;
  }

  get confState(): ConfState {
    return this.machine.confState;
  }

  get running(): boolean {
    return this.core !== undefined;
  }

  get frozen(): boolean {
    return this.frozenUntil > this.#world.now();
  }

  get leads(): boolean {
    return this.core !== undefined && raftOf(this.core).role === "leader";
  }

  get term(): Term {
    return this.core === undefined ? 0 : raftOf(this.core).term;
  }

  // — life and death —

  start(): void {
    const { options } = this.#world;
    const { flushed } = this.disk;
    this.life++;
    this.frozenUntil = 0;
    this.machine = this.#makeMachine();
    this.#waiting = undefined;
    this.#inFlight = undefined;
    this.#stamp = undefined;
    this.#inbox = [];
    this.core = new RawNode(
      {
        id: this.id,
        random: this.#random,
        snapshot: (_to, atLeast) => this.machine.snapshotNow(atLeast),
        ...coreConfig(options),
      },
      {
        hardState: flushed.hardState,
        confState: this.confState,
        compacted: flushed.compacted,
        entries: flushed.entries,
        applied: this.applied,
      },
    );
    this.#world.log(this, "start");
    this.observer.started(this);
    this.drive(() => {});
    const { life } = this;
    const tick = (): void => {
      if (this.life !== life) return;
      if (!this.frozen) {
        this.#world.log(this, "tick");
        this.drive((core) => core.tick());
      }
      this.#world.after(this.#tickMs, tick);
    };
    this.#world.after(this.#random.below(10), tick);
  }

  #makeMachine(): DirectMachine {
    return new DirectMachine(this, this.#world, this.#random, this.#diskRandom);
  }

  /** The process ends without a word. */
  crash(survives: number): void {
    if (!this.running) return;
    this.observer.crashing(this, this.disk.busy);
    this.#world.log(this, "crash");
    this.core = undefined;
    this.life++;
    const lost = this.disk.crash(this.#diskRandom, survives);
    if (lost) this.observer.lostWrite(this);
  }

  thaw(): void {
    this.frozenUntil = 0;
    const inbox = this.#inbox;
    this.#inbox = [];
    if (inbox.length > 0) this.observer.sometimes("burst after a freeze");
    for (const { from, frame } of inbox) this.receive(from, frame);
  }

  renew(id: NodeId): void {
    this.crash(1);
    this.id = id;
    this.disk = new RecordDisk();
  }

  // — input —

  /** Runs `input` on the core, then all that follows from it. */
  drive<T>(input: (core: RawNode) => T): T | undefined {
    const { core } = this;
    if (core === undefined) return undefined;
    const result = input(core);
    this.observer.look(this);
    this.#pump(core);
    return result;
  }

  receive(from: NodeId, frame: Uint8Array): void {
    if (this.core === undefined) return;
    if (this.frozen) {
      this.#inbox.push({ from, frame });
      return;
    }
    const { kind, body } = unpackFrame(frame);
    if (kind === controlFrame) {
      this.#world.log(this, "command from", from);
      this.propose(body);
      return;
    }
    for (const message of decodeMessages(body)) {
      if (this.core === undefined) return;
      this.#world.log(this, "gets", message);
      this.drive((core) => this.observer.stepping(this, message, () => core.step(message)));
    }
  }

  /** Puts a command on its way: into the log when we lead, else to whom we believe to. */
  submit(command: Uint8Array): boolean {
    if (this.core === undefined || this.frozen) return false;
    const { role, leader } = raftOf(this.core);
    if (role === "leader") return this.propose(command);
    return leader !== 0 && this.#world.send(this, leader, packFrame(controlFrame, command));
  }

  propose(command: Uint8Array): boolean {
    const times = this.#stamp?.();
    if (times === undefined || !this.leads) return false;
    decodeCommand(command);
    const result = this.drive((core): ProposeResult => core.propose(stamp(command, times)));
    return result?.accepted === true;
  }

  readIndex(context: Uint8Array): boolean {
    return this.drive((core) => core.readIndex(context))?.accepted === true;
  }

  transfer(to: NodeId): void {
    this.drive((core) => core.transferLeader(to));
  }

  campaign(): void {
    this.drive((core) => core.campaign());
  }

  forgetLeader(): void {
    this.drive((core) => core.forgetLeader());
  }

  requestSnapshot(): boolean {
    return this.drive((core) => core.requestSnapshot())?.accepted === true;
  }

  proposeChange(change: ConfChangeV2): boolean {
    return this.drive((core) => core.proposeConfChange(change))?.accepted === true;
  }

  // — the loop —

  #pump(core: RawNode): void {
    while (this.core === core && core.hasReady()) {
      const { messages, write, committedEntries, readStates, droppedReads, softState } =
        core.ready();
      this.#send(core, messages);
      if (softState !== undefined) this.#roleChanged(softState.role === "leader");
      if (write !== undefined) this.#enqueue(write);
      this.machine.take(core, committedEntries);
      for (const state of readStates) this.#world.read(this, state);
      for (const context of droppedReads) this.#world.droppedRead(this, context);
    }
    if (this.core === core) this.#afterPump(core);
  }

  #afterPump(core: RawNode): void {
    this.observer.settled(this);
    if (core.stopped !== undefined) this.observer.nodeStopped(this, core.stopped);
    this.machine.maybeSnapshot();
    this.#world.progressed(this);
  }

  #roleChanged(leads: boolean): void {
    const clock = {
      now: () => this.#world.now(),
      wall: () => 1_700_000_000_000 + this.#world.now() + this.wallOffset,
      after: () => () => {},
      every: () => () => {},
    };
    this.#stamp = leads ? createStamper(clock, this.replica.logTime) : undefined;
  }

  #send(core: RawNode, messages: readonly Message[]): void {
    for (const message of messages) {
      this.observer.sending(this, message);
      this.#world.log(this, "sends", message);
      const sent = this.#world.send(
        this,
        message.to,
        packFrame(raftFrame, encodeMessages([message])),
      );
      if (message.type === "MsgSnap") this.#awaitSnapshot(core, message, sent);
      else if (!sent && message.type === "MsgApp") {
        core.reportUnreachable(message.to);
        this.observer.look(this);
      }
    }
  }

  /** A transport must say what became of a snapshot, or the peer waits for ever. */
  #awaitSnapshot(core: RawNode, { to }: Message, sent: boolean): void {
    const { electionTicks, tickMs } = this.#world.options;
    this.#world.after(sent ? 2 * electionTicks * tickMs : 0, () => {
      if (this.core !== core) return;
      this.#world.log(this, "snapshot report", to);
      this.drive(() => core.reportSnapshot(to, "failed"));
    });
  }

  // — the disk —

  #enqueue(write: Write): void {
    this.observer.handing(this, write);
    this.#waiting = this.#waiting === undefined ? write : joinWrites(this.#waiting, write);
    this.#writeNext();
  }

  #writeNext(): void {
    const write = this.#waiting;
    if (write === undefined || this.#inFlight !== undefined) return;
    this.#waiting = undefined;
    this.#inFlight = write;
    this.disk.begin(write);
    const { life } = this;
    const { meanMs } = this.#world.options.disk;
    const ms = (meanMs === 0 ? 0 : exponential(this.#diskRandom, meanMs)) + this.disk.slowMs;
    this.#world.after(ms, () => {
      if (this.life === life) this.#written(write);
    });
  }

  #written(write: Write): void {
    const { core } = this;
    if (core === undefined) return;
    this.#inFlight = undefined;
    if (this.disk.failNext) {
      this.#diskFails();
      return;
    }
    this.disk.finish();
    this.#world.log(this, "durable", write.id);
    if (write.snapshot !== undefined) this.machine.install(core, write.snapshot);
    const owed = core.persisted(write);
    this.observer.look(this);
    this.#send(core, owed);
    this.#writeNext();
    this.#pump(core);
  }

  /** The first failure ends it: nothing is said or written any more, as after a crash, until the store is opened anew. */
  #diskFails(): void {
    this.observer.sometimes("disk failed");
    this.#world.log(this, "disk fails");
    this.crash(this.#world.options.disk.survives);
    this.#world.after(50 + this.#random.below(300), () => {
      if (!this.running && !this.#world.calm()) this.start();
    });
  }
}
