/**
 * RunningNode: what lies between a RaftNode's promises and the loop: each part is told what happens and asks the others.
 *
 * Not here: the public face and its checks (raft-node.ts).
 */

import { concatBytes } from "../base/bytes.js";
import type { Cancel } from "../base/clock.js";
import { createEmitter, type Emitter } from "../base/emitter.js";
import { DecodeError, isLogboomError, LogboomError } from "../base/errors.js";
import { decodeMessages, encodeMessages } from "../codec/raftpb.js";
import type { BasicStatus } from "../core/raw-node.js";
import {
  type ConfChangeV2,
  type Index,
  type Message,
  type NodeId,
  noNode,
  type SnapshotMetadata,
  type SoftState,
} from "../core/types.js";
import type { Loaded } from "../storage/storage.js";
import type { PeerEvent } from "../transport/transport.js";
import { BareNode, type BareNodeOptions, foundCluster, isEmpty } from "./bare-node.js";
import { Contacts } from "./contacts.js";
import { Forwarding } from "./forwarding.js";
import { packFrame, raftFrame, requestFrame, transferFrame, unpackFrame } from "./frames.js";
import { Linearizable } from "./linearizable.js";
import { carrierOf } from "./member-changes.js";
import { backupBytesMax, MemberedMachine } from "./membered-machine.js";
import { type Configuration, memberIds } from "./members.js";
import type { MetricName } from "./metrics.js";
import type { NodeEvent } from "./node-events.js";
import {
  type Bootstrap,
  bootstrapState,
  type CompleteOptions,
  type Reloadable,
} from "./node-options.js";
import type { NodeStatus } from "./node-status.js";
import { type Applied, aborted, Proposals } from "./proposals.js";
import { closed, halted, refusal } from "./refusals.js";
import {
  decodeRequestFrame,
  encodeRequestFrame,
  type Placed,
  type Request,
  type RequestFrame,
} from "./requests.js";
import { decodeTransferFrame, encodeTransferFrame } from "./transfer-frames.js";
import { Transfers } from "./transfers.js";

/** Lines of the core kept for the dump of a node that halts. */
const logLinesMax = 100;
/** Appends above so many bytes travel as bulk, behind heartbeats and votes. */
const bulkBytes = 64 * 1024;

interface Condition {
  holds(): boolean;
  resolve(): void;
  reject(error: LogboomError): void;
}

export class RunningNode<Result> {
  readonly #options: CompleteOptions<Result>;
  readonly #machine: MemberedMachine<Result>;
  readonly #events: Emitter<NodeEvent> = createEmitter<NodeEvent>();
  readonly #proposals: Proposals<Result>;
  readonly #reads: Linearizable;
  readonly #forwarding: Forwarding;
  readonly #transfers: Transfers;
  readonly #contacts: Contacts;
  readonly #conditions = new Set<Condition>();
  readonly #lines: string[] = [];
  readonly #gauges: Cancel;
  #bare!: BareNode<Result>;
  #pendingBytesMax: number;
  #softState: SoftState = { role: "follower", leader: noNode };
  #members: ReadonlySet<NodeId> = new Set();
  #refused = 0;
  #announcing = false;
  #halt: LogboomError | undefined;
  #closing: Promise<void> | undefined;

  static async open<Result>(options: CompleteOptions<Result>): Promise<RunningNode<Result>> {
    const node = new RunningNode(options);
    try {
      let loaded = await options.store.storage.load();
      if (isEmpty(loaded) && options.bootstrap !== undefined) {
        loaded = await node.#found(options.bootstrap);
      }
      await node.#run(loaded);
    } catch (error) {
      node.#gauges();
      node.#contacts.close();
      throw error;
    }
    options.transport.onPeer((event) => node.#onLink(event));
    options.transport.onFrame((from, frame) => node.#onFrame(from, frame));
    for (const peer of options.transport.peers()) node.#contacts.heard(peer);
    return node;
  }

  private constructor(options: CompleteOptions<Result>) {
    const { id, clock, random, transport, store, timing } = options;
    this.#options = options;
    this.#machine = new MemberedMachine(options.machine);
    this.#pendingBytesMax = options.pendingBytesMax;
    const electionMs = timing.tickMs * timing.electionTicks;
    // Two whole elections: a leader that is there at all is found by then.
    const graceMs = 4 * electionMs;
    this.#proposals = new Proposals<Result>({ clock, graceMs });
    this.#reads = new Linearizable({
      self: id,
      clock,
      retryMs: electionMs,
      salt: random.below(2 ** 32),
      ask: (context) => this.#bare.readIndex(context).accepted,
      applied: () => this.#bare.applied,
    });
    this.#forwarding = new Forwarding(id, options.pendingBytesMax, {
      clock,
      waitMs: graceMs,
      leader: () => this.#softState.leader,
      send: (to, frame) => transport.send(to, packFrame(requestFrame, encodeRequestFrame(frame))),
      serve: (request) => this.#serve(request),
    });
    this.#transfers = new Transfers({
      clock,
      store: store.snapshots,
      send: (to, frame) =>
        transport.send(to, packFrame(transferFrame, encodeTransferFrame(frame)), {
          bulk: frame.type === "chunk",
        }),
      pin: (metadata) => this.#bare.snapshots.pin(metadata),
      needs: (message) => (message.snapshot?.metadata.index ?? 0) > this.#bare.status().commit,
      arrived: (from, message) => this.#bare.step(from, [message]),
      ended: (to, metadata, outcome) => this.#transferEnded(to, metadata, outcome),
      storeFailed: (error) => this.#bare.storeFailed(error),
    });
    this.#contacts = new Contacts(clock, electionMs, (event) => this.#emit(event));
    this.#gauges = clock.every(1000, () => this.#publish());
  }

  // — requests —

  async propose(
    commands: readonly Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Applied<Result>[]> {
    this.#checkRunning(signal);
    const { metrics, clock } = this.#options;
    let bytes = 0;
    for (const command of commands) bytes += command.length;
    metrics.count("raft_apply_total", commands.length);
    const from = clock.now();
    try {
      const applied = await this.#submit(
        { kind: "propose", commands },
        commands.length,
        bytes,
        signal,
      );
      metrics.observe("raft_commit_time_seconds", (clock.now() - from) / 1000);
      return applied;
    } catch (error) {
      metrics.count("raft_apply_failed_total", commands.length);
      throw error;
    }
  }

  async change(
    change: ConfChangeV2,
    ifIndex: Index,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#checkRunning(signal);
    await this.#submit({ kind: "change", change, ifIndex }, 1, change.context.length, signal);
  }

  async transfer(to: NodeId, signal: AbortSignal | undefined): Promise<NodeId> {
    this.#checkRunning(signal);
    const { term, leader: former } = this.basicStatus();
    await this.#place({ kind: "transfer", to }, 0, signal).catch((error) => {
      // The leader's successor may be heard before its answer: the wait below decides.
      if (!isLogboomError(error) || error.code !== "LEADERSHIP_LOST") throw error;
    });
    const moved = (): boolean => {
      const { leader } = this.#softState;
      return leader !== noNode && (to === noNode ? leader !== former : leader === to);
    };
    // The leader gives up after one election timeout; ours is the wait for its successor's first word.
    const { clock, timing } = this.#options;
    const ending = new AbortController();
    let late = false;
    const timer = clock.after(3 * timing.tickMs * timing.electionTicks, () => {
      late = true;
      ending.abort();
    });
    const give = (): void => ending.abort(signal?.reason);
    signal?.addEventListener("abort", give);
    try {
      await this.until(moved, ending.signal);
    } catch (error) {
      if (!late) throw error;
      const text = `leadership did not move in time (term ${term})`;
      throw new LogboomError("PROPOSAL_DROPPED", text, { reason: "transferTimedOut" });
    } finally {
      timer();
      signal?.removeEventListener("abort", give);
    }
    return this.#softState.leader;
  }

  async readIndex(signal: AbortSignal | undefined): Promise<Index> {
    this.#checkRunning(signal);
    const { metrics, clock } = this.#options;
    metrics.count("raft_reads_total");
    const from = clock.now();
    const index = await this.#reads.readIndex(signal);
    metrics.observe("raft_read_time_seconds", (clock.now() - from) / 1000);
    return index;
  }

  /** A backup in pieces, each in an entry of its own, one after the other. */
  async restore(
    backup: Uint8Array,
    pieceBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (backup.length > backupBytesMax) {
      const text = `the backup takes ${backup.length} bytes, at most ${backupBytesMax} are allowed`;
      throw new LogboomError("TOO_LARGE", text);
    }
    const { random, id: self } = this.#options;
    const id = 1 + random.below(2 ** 32) * 2 ** 20 + random.below(2 ** 20);
    for (let offset = 0; offset === 0 || offset < backup.length; offset += pieceBytes) {
      const data = backup.subarray(offset, offset + pieceBytes);
      const last = offset + pieceBytes >= backup.length;
      const piece = carrierOf(self, { type: "restore", id, offset, last, data });
      await this.#whenChangeable(piece, signal);
    }
    const outcome = this.#machine.outcomeOf(id);
    if (outcome?.error !== undefined) throw outcome.error;
    if (outcome === undefined) {
      const text = "another backup was begun before this one was complete";
      throw new LogboomError("PROPOSAL_DROPPED", text, { reason: "overtaken" });
    }
  }

  /** Another change may be under way: it is waited for. */
  async #whenChangeable(change: ConfChangeV2, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const { index } = this.configuration;
      try {
        await this.change(change, 0, signal);
        return;
      } catch (error) {
        const reason = isLogboomError(error) ? error.reason : undefined;
        if (reason !== "pendingConfChange" && reason !== "mustLeaveJoint") throw error;
        await this.until(() => this.configuration.index !== index, signal);
      }
    }
  }

  async #submit(
    request: Request,
    count: number,
    bytes: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly Applied<Result>[]> {
    if (this.#softState.role === "leader" || !this.#options.forward) {
      if (this.#proposals.bytes + bytes > this.#pendingBytesMax) {
        const text = `${this.#proposals.bytes} bytes of commands are open, at most ${this.#pendingBytesMax} may be`;
        throw new LogboomError("PROPOSAL_DROPPED", text, { reason: "tooManyBytes" });
      }
      const { index, term } = this.#serve(request);
      return await this.#proposals.wait(index, term, count, bytes, signal);
    }
    const forget = this.#proposals.remember();
    try {
      const { index, term } = await this.#place(request, bytes, signal);
      return await this.#proposals.wait(index, term, count, bytes, signal);
    } finally {
      forget();
    }
  }

  async #place(request: Request, bytes: number, signal: AbortSignal | undefined): Promise<Placed> {
    if (this.#softState.role === "leader" || !this.#options.forward) return this.#serve(request);
    return await this.#forwarding.ask(request, bytes, signal);
  }

  /** Does as asked, as leader. @throws LogboomError, outcome none */
  #serve(request: Request): Placed {
    if (this.#softState.role !== "leader") throw refusal("notLeader");
    if (request.kind === "transfer") {
      const to = request.to === noNode ? this.#bare.bestSuccessor() : request.to;
      const answer = this.#bare.transferLeader(to ?? noNode);
      if (!answer.accepted) throw refusal(answer.reason);
      return { index: 0, term: 0 };
    }
    if (request.kind === "change" && request.ifIndex !== 0) this.#checkIndex(request.ifIndex);
    const answer =
      request.kind === "propose"
        ? this.#bare.propose(this.#prepared(request.commands))
        : this.#bare.proposeConfChange(request.change);
    if (!answer.accepted) throw refusal(answer.reason);
    return answer;
  }

  #prepared(commands: readonly Uint8Array[]): readonly Uint8Array[] {
    const { prepare } = this.#options;
    if (prepare === undefined) return commands;
    const { term } = this.#bare.status();
    return commands.map((command) => (command.length > 0 ? prepare(command, term) : command));
  }

  #checkIndex(ifIndex: Index): void {
    const { index } = this.configuration;
    if (index === ifIndex) return;
    const text = `the configuration is of index ${index}, not ${ifIndex}`;
    throw new LogboomError("PROPOSAL_DROPPED", text, { reason: "configurationChanged" });
  }

  // — state —

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
    const { id, role, term, leader, commit, lastIndex, peers } = this.#bare.fullStatus();
    return {
      id,
      role,
      term,
      leader,
      leaderAddress: this.#machine.addresses.get(leader),
      commit,
      applied: this.#bare.applied,
      lastIndex,
      lastTerm: this.#bare.lastTerm,
      backlog: this.#bare.backlog,
      configuration: this.configuration,
      snapshot: this.#bare.snapshots.latest,
      lastContactMs: role === "leader" ? 0 : this.#contacts.sinceHeard(leader),
      peers,
      proposals: this.#proposals.size,
      reads: this.#reads.size,
      forwarded: this.#forwarding.size,
      sendingSnapshots: this.#transfers.sending,
      refused: this.#refused + this.#bare.refused,
      halted: this.#halt !== undefined,
    };
  }

  observe(listener: (event: NodeEvent) => void): () => void {
    return this.#events.on(listener);
  }

  count(name: MetricName): void {
    this.#options.metrics.count(name);
  }

  /** Resolves when `holds`, which is looked at whenever something has happened. */
  until(holds: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#checkRunning(signal);
      if (holds()) {
        resolve();
        return;
      }
      const abort = (): void => {
        condition.reject(aborted(signal));
      };
      const done = (): void => {
        this.#conditions.delete(condition);
        signal?.removeEventListener("abort", abort);
      };
      const condition: Condition = {
        holds,
        resolve() {
          done();
          resolve();
        },
        reject(error) {
          done();
          reject(error);
        },
      };
      signal?.addEventListener("abort", abort);
      this.#conditions.add(condition);
    });
  }

  async snapshot(): Promise<SnapshotMetadata | undefined> {
    this.#checkRunning(undefined);
    await this.until(() => !this.#bare.snapshots.taking, undefined);
    return await this.#bare.snapshot();
  }

  reload({ snapshotPolicy, tickMs, pendingBytesMax }: Reloadable): void {
    this.#bare.snapshots.policy = snapshotPolicy;
    this.#bare.setTickMs(tickMs);
    this.#pendingBytesMax = pendingBytesMax;
    this.#forwarding.bytesMax = pendingBytesMax;
  }

  async bootstrap(bootstrap: Bootstrap): Promise<void> {
    bootstrapState(bootstrap);
    this.#checkRunning(undefined);
    const { term, lastIndex } = this.basicStatus();
    if (term > 0 || lastIndex > 0) {
      throw new LogboomError("BAD_INPUT", "this node has state already: it is part of a cluster");
    }
    await this.#bare.close();
    await this.#run(await this.#found(bootstrap));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#endRequests(closed("unknown"), closed("none"));
    this.#gauges();
    this.#contacts.close();
    const { transport, store } = this.#options;
    await transport.close();
    await this.#bare.close();
    await this.#transfers.close();
    await store.storage.close();
    this.#events.clear();
  }

  #endRequests(error: LogboomError, untouched: LogboomError): void {
    this.#forwarding.close((sent) => (sent ? error : untouched));
    this.#proposals.close(error);
    this.#reads.close(untouched);
    for (const condition of [...this.#conditions]) condition.reject(error);
  }

  // — the loop —

  async #run(loaded: Loaded): Promise<void> {
    this.#bare = await BareNode.openLoaded(this.#bareOptions(), loaded);
    this.#configured();
    this.#bare.start();
    if (this.#halt !== undefined) throw this.#halt;
  }

  async #found(bootstrap: Bootstrap): Promise<Loaded> {
    const confState = bootstrapState(bootstrap);
    this.#machine.found(bootstrap.addresses ?? new Map());
    const body = concatBytes(...this.#machine.snapshot());
    return await foundCluster(this.#options.store, confState, noNode, body);
  }

  #bareOptions(): BareNodeOptions<Result> {
    const { id, store, clock, random, timing, snapshotPolicy, metrics } = this.#options;
    return {
      id,
      store,
      machine: this.#machine,
      clock,
      random,
      timing,
      snapshotPolicy,
      snapshotBodies: "stored",
      core: {
        reads: this.#options.reads ?? "safe",
        uncommittedBytesMax: 2 * this.#options.pendingBytesMax,
        log: (level, text) => this.#say(level, text),
      },
      events: {
        send: (to, message) => this.#send(to, message),
        applied: () => {},
        entry: (entry, result) => this.#proposals.applied(entry, result),
        restored: (metadata) => this.#restored(metadata),
        configured: () => this.#configured(),
        softState: (state) => this.#onSoftState(state),
        read: (state) => this.#reads.answered(state),
        readDropped: (context) => this.#reads.dropped(context),
        stored: (entries, ms) => {
          metrics.observe("raft_store_logs_seconds", ms / 1000);
          metrics.observe("raft_store_logs_entries", entries);
        },
        snapshotTaken: (metadata, ms) => {
          metrics.observe("raft_snapshot_take_seconds", ms / 1000);
          this.#emit({ type: "snapshot", action: "taken", metadata, peer: undefined });
          this.#check();
        },
        progressed: () => {
          this.#reads.progressed();
          this.#check();
        },
        failed: (error) => this.#failed(error),
      },
    };
  }

  #onSoftState(state: SoftState): void {
    const before = this.#softState;
    this.#softState = state;
    const { metrics } = this.#options;
    const { term } = this.#bare.status();
    if (state.role !== before.role) {
      if (state.role === "leader") metrics.count("raft_state_leader_total");
      else if (state.role === "follower") metrics.count("raft_state_follower_total");
      else metrics.count("raft_state_candidate_total");
      if (before.role === "leader") metrics.count("raft_transition_leader_lost_total");
      this.#emit({ type: "role", role: state.role, term });
    }
    if (state.leader !== before.leader) {
      const address = this.#machine.addresses.get(state.leader);
      this.#emit({ type: "leader", leader: state.leader, term, address });
      this.#proposals.leadershipLost();
      this.#forwarding.leaderChanged();
      if (state.leader !== noNode) this.#reads.leaderKnown();
      this.#announce();
    }
    this.#check();
  }

  #configured(): void {
    const { configuration } = this;
    const { transport, id } = this.#options;
    const ids = memberIds(configuration.confState);
    const before = this.#members;
    this.#members = ids;
    // A node that is yet to be added knows nobody: it goes by what its transport was opened with.
    if (configuration.addresses.size > 0) transport.setAddresses?.(configuration.addresses);
    this.#emit({ type: "configuration", configuration });
    for (const added of ids) {
      if (!before.has(added)) this.#emit({ type: "member", id: added, change: "added" });
    }
    for (const gone of before) {
      if (!ids.has(gone)) this.#emit({ type: "member", id: gone, change: "removed" });
    }
    if (before.has(id) && !ids.has(id)) this.#emit({ type: "removed" });
    this.#announce();
    this.#check();
  }

  /** This node lives elsewhere than the configuration says: the cluster is told, by way of whoever leads. */
  #announce(): void {
    const { address, id, clock, timing } = this.#options;
    if (address === undefined || this.#announcing || this.#softState.leader === noNode) return;
    if (!this.#members.has(id) || this.#machine.addresses.get(id) === address) return;
    this.#announcing = true;
    const addresses = new Map([[id, address]]);
    void this.change(carrierOf(id, { type: "addresses", addresses }), 0, undefined).then(
      () => {
        this.#announcing = false;
      },
      () => {
        if (this.#closing !== undefined || this.#halt !== undefined) return;
        clock.after(timing.tickMs * timing.electionTicks, () => {
          this.#announcing = false;
          this.#announce();
        });
      },
    );
  }

  #restored(metadata: SnapshotMetadata): void {
    this.#proposals.restored(metadata.index, metadata.term);
    this.#emit({ type: "snapshot", action: "installed", metadata, peer: undefined });
    this.#configured();
    this.#reads.progressed();
  }

  #transferEnded(to: NodeId, metadata: SnapshotMetadata, outcome: "arrived" | "failed"): void {
    const sent = outcome === "arrived";
    this.#options.metrics.count(sent ? "raft_snapshots_sent_total" : "raft_snapshots_failed_total");
    this.#emit({ type: "snapshot", action: sent ? "sent" : "failed", metadata, peer: to });
    this.#bare.snapshotEnded(to, outcome);
  }

  #failed(error: unknown): void {
    if (this.#halt !== undefined) return;
    this.#halt = halted(error);
    this.#options.logger.error({ err: error }, "the node has stopped");
    this.#endRequests(this.#halt, halted(error, "none"));
    if (this.#bare === undefined) return;
    const halt = { error: this.#halt, status: this.status(), log: [...this.#lines] };
    this.#emit({ type: "halted", halt });
  }

  // — the wire —

  #send(to: NodeId, message: Message): boolean {
    const { metrics, transport } = this.#options;
    metrics.count("raft_messages_sent_total");
    const inline = message.snapshot?.data.length ?? 0;
    if (message.type === "MsgSnap" && inline === 0) return this.#transfers.start(message);
    const frame = packFrame(raftFrame, encodeMessages([message]));
    if (transport.send(to, frame, { bulk: frame.length > bulkBytes })) return true;
    metrics.count("raft_messages_dropped_total");
    return false;
  }

  #onLink(event: PeerEvent): void {
    const { peer } = event;
    const up = event.type === "up";
    if (up) this.#forwarding.leaderChanged();
    else {
      this.#bare.unreachable(peer);
      this.#forwarding.unreachable(peer);
      this.#transfers.unreachable(peer);
    }
    const reason = event.type === "down" ? event.reason : undefined;
    this.#emit({ type: "link", peer, up, reason });
  }

  #onFrame(from: NodeId, frame: Uint8Array): void {
    if (this.#closing !== undefined || this.#halt !== undefined) return;
    this.#contacts.heard(from);
    try {
      const { kind, body } = unpackFrame(frame);
      if (kind === raftFrame) this.#onMessages(from, decodeMessages(body));
      else if (kind === requestFrame) this.#onRequest(from, decodeRequestFrame(body));
      else if (kind === transferFrame) this.#transfers.receive(from, decodeTransferFrame(body));
      else throw new DecodeError(`a frame of kind ${kind}, which this node does not speak`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refused += 1;
      this.#options.metrics.count("raft_frames_refused_total");
    }
  }

  #onMessages(from: NodeId, messages: readonly Message[]): void {
    this.#options.metrics.count("raft_messages_received_total", messages.length);
    for (const { type, term } of messages) {
      if (type !== "MsgVote" && type !== "MsgPreVote") continue;
      this.#emit({ type: "vote", candidate: from, term, preVote: type === "MsgPreVote" });
    }
    this.#bare.step(from, messages);
  }

  #onRequest(from: NodeId, frame: RequestFrame): void {
    if (frame.type !== "request") {
      this.#forwarding.answered(from, frame);
      return;
    }
    const { id } = frame;
    // Only members are served: anybody else may be linked, but has no say.
    const answer = this.#members.has(from) ? this.#answer(id, frame.request) : undefined;
    if (answer === undefined) this.#refused += 1;
    else this.#options.transport.send(from, packFrame(requestFrame, encodeRequestFrame(answer)));
  }

  #answer(id: number, request: Request): RequestFrame {
    try {
      return { type: "accepted", id, placed: this.#serve(request) };
    } catch (error) {
      if (!isLogboomError(error)) throw error;
      return { type: "refused", id, error };
    }
  }

  // — small things —

  #say(level: "debug" | "info" | "warn" | "error", text: () => string): void {
    if (level === "debug") return;
    const line = text();
    this.#lines.push(line);
    if (this.#lines.length > logLinesMax) this.#lines.shift();
    this.#options.logger[level]({ node: this.#options.id }, line);
  }

  #emit(event: NodeEvent): void {
    this.#events.emit(event);
  }

  #check(): void {
    for (const condition of [...this.#conditions]) if (condition.holds()) condition.resolve();
  }

  #checkRunning(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw aborted(signal, "none");
    if (this.#closing !== undefined) throw closed("none");
    if (this.#halt !== undefined) throw halted(this.#halt.cause, "none");
  }

  #publish(): void {
    const { metrics } = this.#options;
    const { term, commit, lastIndex, role } = this.basicStatus();
    metrics.gauge("raft_peers", this.#members.size);
    metrics.gauge("raft_term", term);
    metrics.gauge("raft_commit_index", commit);
    metrics.gauge("raft_applied_index", this.#bare.applied);
    metrics.gauge("raft_last_index", lastIndex);
    metrics.gauge("raft_fsm_pending", this.#bare.backlog);
    metrics.gauge("raft_is_leader", role === "leader" ? 1 : 0);
  }
}
