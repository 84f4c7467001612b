/**
 * RunningNode: what lies between a RaftNode's promises and the loop: each part is told what happens and asks the others.
 *
 * Not here: the public face and its checks (raft-node.ts).
 */
import { createEmitter, type Emitter } from "../base/emitter.js";
import { LogboomError, type Outcome } from "../base/errors.js";
import type { BasicStatus } from "../core/raw-node.js";
import { type NodeId, noNode, type SnapshotMetadata, type SoftState } from "../core/types.js";
import type { Loaded } from "../storage/storage.js";
import { Announcer } from "./announcer.js";
import { BareNode, type BareNodeOptions, sameTiming, type Timing } from "./bare-node.js";
import { closeEach } from "./closing.js";
import { Conditions } from "./conditions.js";
import { Contacts } from "./contacts.js";
import { isEmpty } from "./founding.js";
import { packFrame, requestFrame } from "./frames.js";
import { Guards } from "./guards.js";
import { Life } from "./life.js";
import { LogLines } from "./log-lines.js";
import { Measures } from "./measures.js";
import { carrierOf } from "./member-changes.js";
import { MemberedMachine } from "./membered-machine.js";
import { type Configuration, memberIds } from "./members.js";
import { memberEvents, type NodeEvent } from "./node-events.js";
import { foundWith } from "./node-founding.js";
import {
  type Bootstrap,
  bootstrapState,
  type CompleteOptions,
  type Reloadable,
} from "./node-options.js";
import { Requests } from "./node-requests.js";
import { type NodeStatus, statusOfNode } from "./node-status.js";
import { Wire } from "./node-wire.js";
import { causeOf, closed, halted } from "./refusals.js";
import { encodeRequestFrame, type RequestFrame } from "./requests.js";
import { Transfers } from "./transfers.js";

type Send = (to: NodeId, frame: RequestFrame) => boolean;

export class RunningNode<Result> {
  readonly requests: Requests<Result>;
  readonly guards: Guards;
  readonly #options: CompleteOptions<Result>;
  readonly #machine: MemberedMachine<Result>;
  readonly #events: Emitter<NodeEvent> = createEmitter<NodeEvent>();
  readonly #transfers: Transfers;
  readonly #contacts: Contacts;
  readonly #announcer: Announcer;
  readonly #wire: Wire<Result>;
  readonly #conditions = new Conditions();
  readonly #lines: LogLines;
  readonly #measures: Measures;
  #timing: Timing;
  #bare!: BareNode<Result>;
  #softState: SoftState = { role: "follower", leader: noNode };
  #members: ReadonlySet<NodeId> = new Set();
  readonly #life = new Life();
  #closing: Promise<void> | undefined;

  static async open<Result>(options: CompleteOptions<Result>): Promise<RunningNode<Result>> {
    const node = new RunningNode(options);
    try {
      let loaded = await options.store.storage.load();
      if (isEmpty(loaded) && options.bootstrap !== undefined) {
        loaded = await foundWith(options, node.#machine, options.bootstrap);
      }
      await node.#run(loaded);
    } catch (error) {
      await node.#abandon().catch(() => {});
      throw error;
    }
    options.transport.onPeer((event) => node.#wire.link(event));
    options.transport.onFrame((from, frame) => node.#wire.receive(from, frame));
    for (const peer of options.transport.peers()) node.#contacts.heard(peer);
    node.#measures.start();
    node.guards.start();
    return node;
  }

  private constructor(options: CompleteOptions<Result>) {
    const { id, clock, transport, store, address } = options;
    this.#options = options;
    this.#timing = options.timing;
    const electionMs = (): number => this.#timing.tickMs * this.#timing.electionTicks;
    this.#machine = new MemberedMachine(options.machine);
    this.#lines = new LogLines(id, options.logger);
    this.#contacts = new Contacts(clock, electionMs, (event) => this.#emit(event));
    this.#measures = new Measures(options, this.#contacts, () => this.status());
    const tell: Send = (to, frame) =>
      transport.send(to, packFrame(requestFrame, encodeRequestFrame(frame)));
    this.requests = new Requests<Result>({
      options,
      machine: this.#machine,
      bare: () => this.#bare,
      softState: () => this.#softState,
      configuration: () => this.configuration,
      electionMs,
      send: tell,
      stamped: (commands) => this.guards.stamped(commands),
      checkChange: (change) => this.guards.check(change),
      until: (holds, signal) => this.until(holds, signal),
      checkRunning: (signal) => this.#life.check(signal),
    });
    this.#transfers = new Transfers({
      clock,
      store: this.#measures.arrivals(store.snapshots),
      transport,
      bare: () => this.#bare,
      ended: (to, metadata, outcome) => this.#transferEnded(to, metadata, outcome),
    });
    this.guards = this.#makeGuards(tell, electionMs);
    this.#wire = new Wire<Result>({
      guards: this.guards,
      transport,
      metrics: options.metrics,
      measures: this.#measures,
      contacts: this.#contacts,
      requests: this.requests,
      transfers: this.#transfers,
      bare: () => this.#bare,
      members: () => this.#members,
      running: () => this.running,
      emit: (event) => this.#emit(event),
    });
    this.#announcer = new Announcer({
      clock,
      retryMs: electionMs,
      due: () =>
        address !== undefined &&
        this.#softState.leader !== noNode &&
        this.#members.has(id) &&
        this.#machine.addresses.get(id) !== address,
      tell: () => {
        const addresses = new Map([[id, address ?? ""]]);
        return this.requests.change(carrierOf(id, { type: "addresses", addresses }), 0, undefined);
      },
    });
  }

  #makeGuards(send: Send, electionMs: () => number): Guards {
    const { id: self, clock, random, activation, checkEverySnapshots } = this.#options;
    this.#machine.onActivated = (version, index) =>
      this.#emit({ type: "activated", version, index });
    return new Guards({
      self,
      clock,
      random,
      machine: this.#machine,
      electionMs,
      activation,
      checkEverySnapshots,
      softState: () => this.#softState,
      configuration: () => this.configuration,
      send,
      change: (change) => this.requests.change(change, 0, undefined),
      place: (entry) => this.requests.place(entry),
      bare: () => this.#bare,
      diverged: (verdict) => this.#emit({ type: "diverged", verdict }),
    });
  }

  // — state —

  get running(): boolean {
    return this.#life.running;
  }

  basicStatus(): BasicStatus {
    return this.#bare.status();
  }

  get configuration(): Configuration {
    return {
      index: this.#machine.configurationIndex,
      confState: this.#bare.confState,
      addresses: this.#machine.addresses,
    };
  }

  status(): NodeStatus {
    const leader = this.#bare.status().leader;
    return {
      ...statusOfNode(this.#bare, this.#machine, this.#contacts.sinceHeard(leader)),
      ...this.requests.counts(),
      configuration: this.configuration,
      sendingSnapshots: this.#transfers.sending,
      refused: this.#wire.refused + this.#bare.refused,
      halted: this.#life.halt !== undefined,
    };
  }

  observe(listener: (event: NodeEvent) => void): () => void {
    return this.#events.on(listener);
  }

  /** Resolves when `holds`, which is looked at whenever something has happened. */
  async until(
    holds: () => boolean,
    signal: AbortSignal | undefined,
    outcome: Outcome = "unknown",
  ): Promise<void> {
    this.#life.check(signal, outcome);
    return await this.#conditions.wait(holds, signal, outcome);
  }

  async snapshot(): Promise<SnapshotMetadata | undefined> {
    this.#life.check(undefined);
    await this.until(() => !this.#bare.snapshots.taking, undefined, "none");
    const taken = await this.#bare.snapshot();
    this.#life.check(undefined, "unknown");
    return taken;
  }

  reload(settings: Reloadable): void {
    if (!sameTiming(settings, this.#timing)) this.#bare.setTiming(settings);
    this.#timing = settings;
    this.#bare.setSnapshotPolicy(settings.snapshotPolicy);
    this.requests.limit(settings.pendingBytesMax);
  }

  async bootstrap(bootstrap: Bootstrap): Promise<void> {
    bootstrapState(bootstrap, this.#options.id);
    this.#life.check(undefined);
    const { term, lastIndex } = this.basicStatus();
    if (term > 0 || lastIndex > 0) {
      throw new LogboomError("BAD_INPUT", "this node has state already: it is part of a cluster");
    }
    await this.#bare.close();
    try {
      await this.#run(await foundWith(this.#options, this.#machine, bootstrap));
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Everything is closed, whatever of it fails; the first failure is passed on. */
  async #close(): Promise<void> {
    this.#life.close();
    this.#endRequests(closed);
    this.#measures.close();
    this.guards.close(closed("unknown"));
    this.#announcer.close();
    this.#contacts.close();
    this.#emit({ type: "closed" });
    const { transport, store } = this.#options;
    await closeEach(
      () => transport.close(),
      () => this.#bare.close(),
      () => this.#transfers.close(),
      () => store.storage.close(),
      async () => this.#events.clear(),
    );
  }

  /** Opening failed: that is what the caller is told. */
  async #abandon(): Promise<void> {
    const { transport, store } = this.#options;
    this.#life.close();
    this.#contacts.close();
    this.guards.close(closed("none"));
    await closeEach(
      () => transport.close(),
      async () => await this.#bare?.close(),
      () => store.storage.close(),
    );
  }

  #endRequests(error: (outcome: Outcome) => LogboomError): void {
    this.requests.close(error("unknown"), error("none"));
    this.#conditions.close(error);
  }

  // — the loop —

  async #run(loaded: Loaded): Promise<void> {
    this.#bare = await BareNode.openLoaded(this.#bareOptions(), loaded);
    this.#configured();
    this.#bare.start();
    if (this.#life.halt !== undefined) throw causeOf(this.#life.halt);
  }

  #bareOptions(): BareNodeOptions<Result> {
    const { id, store, clock, random, snapshotPolicy, watch } = this.#options;
    return {
      ...(watch === undefined ? {} : { watch }),
      id,
      store: this.#measures.store(store),
      machine: this.#measures.machine(this.#machine),
      clock,
      random,
      timing: this.#timing,
      snapshotPolicy,
      snapshotBodies: "stored",
      core: {
        reads: this.#options.reads ?? "safe",
        uncommittedBytesMax: 2 * this.#options.pendingBytesMax,
        log: (level, text) => this.#lines.say(level, text),
      },
      events: {
        send: (to, message) => this.#wire.send(to, message),
        applied: () => {},
        entry: (entry, result) => this.requests.applied(entry, result),
        restored: (metadata) => this.#restored(metadata),
        configured: () => this.#configured(),
        softState: (state) => this.#onSoftState(state),
        read: (state) => this.requests.read(state),
        readDropped: (context) => this.requests.readDropped(context),
        ...this.#measures.events(),
        snapshotTaken: (metadata, ms) => {
          this.guards.checks.snapshotTaken();
          this.#measures.snapshotTaken(ms);
          this.#emit({ type: "snapshot", action: "taken", metadata, peer: undefined });
          this.#check();
        },
        progressed: () => {
          this.#measures.progressed(this.#bare.status().commit);
          this.requests.progressed();
          this.#check();
        },
        failed: (error) => this.#failed(error),
      },
    };
  }

  #onSoftState(state: SoftState): void {
    const before = this.#softState;
    this.#softState = state;
    const { term } = this.#bare.status();
    if (state.role !== before.role) {
      this.#measures.role(before.role, state.role, this.#bare);
      this.guards.roleChanged();
      this.#emit({ type: "role", role: state.role, term });
    }
    if (state.leader !== before.leader) {
      const address = this.#machine.addresses.get(state.leader);
      this.#emit({ type: "leader", leader: state.leader, term, address });
      this.requests.leaderChanged();
      this.#announcer.look();
    }
    this.#check();
  }

  #configured(): void {
    const { configuration } = this;
    const { transport, id } = this.#options;
    const ids = memberIds(configuration.confState);
    const before = this.#members;
    this.#members = ids;
    this.#measures.rpc?.keep(ids);
    // A node that is yet to be added knows nobody: it goes by what its transport was opened with.
    if (configuration.addresses.size > 0) transport.setAddresses?.(configuration.addresses);
    this.#emit({ type: "configuration", configuration });
    for (const event of memberEvents(before, ids, id)) this.#emit(event);
    this.guards.configured();
    this.#wire.configured();
    this.#announcer.look();
    this.#check();
  }

  #restored(metadata: SnapshotMetadata): void {
    this.#measures.restored();
    this.#emit({ type: "snapshot", action: "installed", metadata, peer: undefined });
    this.#configured();
    this.guards.checks.restored();
    this.requests.restored(metadata);
  }

  #transferEnded(to: NodeId, metadata: SnapshotMetadata, outcome: "arrived" | "failed"): void {
    const sent = outcome === "arrived";
    this.#measures.sendingEnded(to, sent);
    this.#emit({ type: "snapshot", action: sent ? "sent" : "failed", metadata, peer: to });
  }

  #failed(error: unknown): void {
    const stopped = this.#life.stop(error);
    if (stopped === undefined) return;
    this.#options.logger.error({ err: error }, "the node has stopped");
    this.#endRequests((outcome) => halted(error, outcome));
    this.guards.close(stopped);
    if (this.#bare === undefined) return;
    const halt = { error: stopped, status: this.status(), log: this.#lines.last };
    this.#emit({ type: "halted", halt });
  }

  #emit(event: NodeEvent): void {
    this.#events.emit(event);
  }

  #check(): void {
    this.#conditions.check();
  }
}
