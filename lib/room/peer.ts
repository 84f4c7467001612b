/**
 * RoomPeer: one peer of a room: its store and identity, its links, its Raft node and the replicated state.
 *
 * A tab runs one for itself and, for a while, those of tabs that are gone. What peers say beside Raft is handled here: hellos,
 * commands on their way to the leader, goodbyes, and word that an id was removed. The leader's autopilot looks through this
 * peer's eyes.
 *
 * Not here: which peers a tab runs (engine.ts), how a command settles (commands.ts).
 */
import { startAutopilot } from "../autopilot/autopilot.js";
import { browserLimits } from "../autopilot/rules.js";
import { equalBytes } from "../base/bytes.js";
import type { Clock } from "../base/clock.js";
import { DecodeError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import { encodeMessages } from "../codec/raftpb.js";
import type { ConfState, Message, NodeId } from "../core/types.js";
import { decodeCommand, type Stamp, stamp } from "../machines/command.js";
import type { Applied } from "../machines/replica.js";
import { createStamper } from "../machines/stamper.js";
import { BareNode, browserTiming } from "../runtime/bare-node.js";
import { controlFrame, packFrame, raftFrame, unpackFrame } from "../runtime/frames.js";
import type { Acknowledged, OpenedStore } from "../storage/storage.js";
import type { PeerEvent, Transport } from "../transport/transport.js";
import { clusterView } from "./cluster-view.js";
import { CommandBatch } from "./command-batch.js";
import { Contacts } from "./contacts.js";
import { type Control, decodeControl, encodeControl } from "./control.js";
import { confStateIds, encodeNewcomers, type Member } from "./members.js";
import type { Replicated } from "./replicated.js";
import type { HeldSlot } from "./slots.js";

export interface RoomPeerEvents {
  applied(command: Applied): void;
  restored(): void;
  /** There may be a new way to a leader: what waits may be sent again. */
  resend(): void;
  /** Role, leader, term, commit, configuration, links or state moved. */
  changed(): void;
  /** The room removed this id: it must never be used again. */
  removed(): void;
  failed(error: unknown): void;
}

export interface RoomPeerOptions<S> {
  readonly slot: HeldSlot;
  readonly store: OpenedStore;
  readonly member: Member;
  readonly transport: Transport;
  /** What a linked peer has proved to be; undefined where the link itself is proof (a port in this page). */
  credentials(peer: NodeId): { publicKey: Uint8Array; storeId: Uint8Array } | undefined;
  readonly replicated: Replicated<S>;
  readonly machine: { readonly name: string; readonly version: number };
  readonly adopted: boolean;
  /** This peer founds the room: an empty store is given the first state. */
  readonly founds: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: RoomPeerEvents;
}

/** The longest election timeout: a leader that is silent for so long leads nobody. */
const leaderSilenceMs = 2 * browserTiming.electionTicks * browserTiming.tickMs;

export class RoomPeer<S> {
  readonly id: NodeId;
  readonly member: Member;
  readonly slot: HeldSlot;
  readonly transport: Transport;
  readonly replicated: Replicated<S>;
  readonly contacts: Contacts;
  readonly #options: RoomPeerOptions<S>;
  #node: BareNode<Applied> | undefined;
  #stopAutopilot: () => void = () => {};
  #refused = 0;
  #failure: unknown;
  #running = false;
  #wasMember = false;
  #ledSince: number;
  /** While this peer leads. */
  #stamp: (() => Stamp) | undefined;
  #closed = false;
  readonly #batch = new CommandBatch((commands) => this.#forward(commands));

  constructor(options: RoomPeerOptions<S>) {
    this.#options = options;
    this.id = options.member.id;
    this.member = options.member;
    this.slot = options.slot;
    this.transport = options.transport;
    this.replicated = options.replicated;
    this.contacts = new Contacts(options.clock);
    this.#ledSince = options.clock.now();
  }

  /** Loads the log and begins to take part. @throws LogboomError `STORAGE_FAILED`, `DECODE` */
  async start(): Promise<void> {
    const { store, clock, random, replicated, events, transport } = this.#options;
    this.#node = await BareNode.open<Applied>({
      id: this.id,
      store,
      machine: replicated,
      clock,
      random,
      timing: browserTiming,
      ...(this.#options.founds ? { found: () => replicated.found(this.member) } : {}),
      events: {
        send: (to, message) => this.#sendRaft(to, message),
        applied: (_index, command) => events.applied(command),
        restored: () => {
          this.#configured();
          events.restored();
        },
        configured: () => this.#configured(),
        softState: ({ role }) => {
          if (role === "leader" && this.#stamp === undefined) this.#ledSince = clock.now();
          this.#stamp =
            role === "leader" ? createStamper(clock, replicated.replica.logTime) : undefined;
          events.resend();
          events.changed();
        },
        progressed: () => events.changed(),
        failed: (error) => {
          this.#failure ??= error;
          if (this.#running) events.failed(error);
        },
      },
    });
    this.#configured();
    this.#node.start();
    if (this.#failure !== undefined) throw this.#failure;
    transport.onPeer((event) => this.#onLink(event));
    transport.onFrame((from, frame) => this.#onFrame(from, frame));
    this.#running = true;
    this.#stopAutopilot = startAutopilot({
      clock,
      limits: browserLimits,
      view: () => clusterView(this, this.#ledSince, clock.now()),
      propose: (change, newcomers) => {
        const context = encodeNewcomers(newcomers.flatMap((id) => this.#newcomer(id)));
        this.#node?.proposeConfChange({ ...change, context, unknown: undefined });
      },
      transfer: (to) => this.#node?.transferLeader(to),
    });
  }

  get node(): BareNode<Applied> {
    if (this.#node === undefined) throw new Error("the peer was not started");
    return this.#node;
  }

  get adopted(): boolean {
    return this.#options.adopted;
  }

  /** Frames that were not what they should be. */
  get refused(): number {
    return this.#refused + (this.#node?.refused ?? 0);
  }

  get confState(): ConfState {
    return this.node.confState;
  }

  get isMember(): boolean {
    return this.#wasMember;
  }

  get isVoter(): boolean {
    const { voters, votersOutgoing } = this.confState;
    return voters.includes(this.id) || votersOutgoing.includes(this.id);
  }

  /**
   * The leader as far as it can be heard; undefined while nobody leads. A learner's core keeps believing in a leader that is gone,
   * since it never campaigns: a link that is down, or silent for an election timeout, says more.
   */
  get leader(): NodeId | undefined {
    const { leader, role } = this.node.status();
    if (role === "leader") return this.id;
    const contact = this.contacts.get(leader);
    if (contact?.via === undefined || contact.goodbyeAt !== undefined) return undefined;
    return this.#options.clock.now() - contact.heardAt < leaderSilenceMs ? leader : undefined;
  }

  /** Puts a command on its way to the leader, at the end of this task. False when none is known or linked. */
  submit(command: Uint8Array): boolean {
    const { role, leader } = this.node.status();
    if (role !== "leader" && this.contacts.get(leader)?.via === undefined) return false;
    this.#batch.add(command);
    return true;
  }

  /** Says hello to everybody again: a goodbye was not meant. */
  greet(): void {
    for (const contact of this.contacts.linked()) this.#hello(contact.id);
  }

  /** The page is going: says so, and hands leadership to whoever has most of the log. */
  goodbye(): void {
    if (this.#node === undefined) return;
    this.#batch.flush();
    const heir = this.#heir();
    if (heir !== undefined) this.#node.transferLeader(heir);
    for (const contact of this.contacts.linked()) this.#tell(contact.id, { type: "bye" });
  }

  /** What its store confirmed, for whoever opens it next. */
  acknowledged(): Acknowledged {
    return this.#options.store.acknowledged();
  }

  /** Ends its links, its node and its store; the slot is the caller's to release. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopAutopilot();
    await this.transport.close();
    await this.#node?.close();
    await this.#options.store.storage.close();
  }

  /** What does not get through now is sent again by whoever waits for it. */
  #forward(commands: readonly Uint8Array[]): void {
    if (this.#closed) return;
    const { role, leader } = this.node.status();
    if (role === "leader") this.#propose(commands);
    else if (leader !== 0) this.#tell(leader, { type: "commands", commands });
  }

  #propose(commands: readonly Uint8Array[]): void {
    const nextStamp = this.#stamp;
    if (nextStamp === undefined) return;
    this.node.propose(commands.map((command) => stamp(command, nextStamp())));
  }

  #sendRaft(to: NodeId, message: Message): boolean {
    const body = encodeMessages([message]);
    const bulk = message.type === "MsgSnap";
    return this.transport.send(to, packFrame(raftFrame, body), { bulk });
  }

  #tell(to: NodeId, control: Control): boolean {
    return this.transport.send(to, packFrame(controlFrame, encodeControl(control)));
  }

  #hello(to: NodeId): void {
    const { machine, adopted } = this.#options;
    this.#tell(to, {
      type: "hello",
      member: this.member,
      machine: machine.name,
      machineVersion: machine.version,
      adopted,
    });
  }

  #onLink(event: PeerEvent): void {
    if (event.type === "up") {
      this.contacts.up(event.peer, event.via);
      this.#hello(event.peer);
      this.#options.events.resend();
    } else {
      this.contacts.down(event.peer);
      // What was under way may be lost; a snapshot among it would be waited for, for ever.
      this.node.snapshotEnded(event.peer, "failed");
      this.node.unreachable(event.peer);
    }
    this.#options.events.changed();
  }

  #onFrame(from: NodeId, frame: Uint8Array): void {
    if (this.#closed) return;
    this.contacts.heard(from);
    try {
      const { kind, body } = unpackFrame(frame);
      if (kind === raftFrame) this.node.receive(from, body);
      else if (kind === controlFrame) this.#onControl(from, decodeControl(body));
      else throw new DecodeError(`a frame of kind ${kind}, which rooms do not speak`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refused += 1;
    }
  }

  #onControl(from: NodeId, control: Control): void {
    switch (control.type) {
      case "hello":
        this.#onHello(from, control);
        return;
      case "commands":
        this.#onCommands(control.commands);
        return;
      case "bye":
        this.contacts.goodbye(from);
        this.#options.events.changed();
        return;
      case "removed":
        // Only somebody who knows us as a former member says so; a newcomer was never one.
        this.#options.events.removed();
        return;
    }
  }

  #onHello(from: NodeId, hello: Extract<Control, { type: "hello" }>): void {
    const { name } = this.#options.machine;
    const { id, publicKey, storeId } = hello.member;
    const proved = this.#options.credentials(from);
    if (
      id !== from ||
      (proved !== undefined &&
        !(equalBytes(proved.publicKey, publicKey) && equalBytes(proved.storeId, storeId)))
    ) {
      throw new DecodeError("a hello in somebody else's name");
    }
    if (hello.machine !== name) {
      throw new DecodeError(`a peer runs the machine "${hello.machine}", this room's is "${name}"`);
    }
    this.contacts.hello(from, hello);
    if (this.replicated.table.removed.includes(from)) this.#tell(from, { type: "removed" });
    this.#options.events.changed();
  }

  /** A follower's commands. What does not decode is counted; what comes to the wrong peer is sent again by its owner. */
  #onCommands(commands: readonly Uint8Array[]): void {
    for (const command of commands) decodeCommand(command);
    if (this.node.status().role === "leader") this.#propose(commands);
  }

  #configured(): void {
    const ids = confStateIds(this.confState);
    const member = ids.includes(this.id);
    if (this.#wasMember && !member) this.#options.events.removed();
    this.#wasMember ||= member;
    this.contacts.prune(new Set(ids));
    this.#options.events.changed();
  }

  #newcomer(id: NodeId): Member[] {
    const member = this.contacts.get(id)?.hello?.member;
    return member === undefined ? [] : [member];
  }

  /** The linked voter with the longest log, if we lead. */
  #heir(): NodeId | undefined {
    const peers = this.node.peers();
    let best: NodeId | undefined;
    let match = -1;
    for (const id of this.confState.voters) {
      const contact = this.contacts.get(id);
      const reached = peers.get(id)?.match ?? 0;
      if (id === this.id || contact?.via === undefined || contact.goodbyeAt !== undefined) continue;
      if (reached <= match) continue;
      best = id;
      match = reached;
    }
    return best;
  }
}
