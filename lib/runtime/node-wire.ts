/**
 * Wire: frames of a node to and from its transport: raft messages, requests, snapshots in chunks.
 *
 * What comes in may be anything: what does not decode is counted and dropped, and who is no member is not served.
 */
import { DecodeError, isLogboomError } from "../base/errors.js";
import { decodeMessages, encodeMessages } from "../codec/raftpb.js";
import type { Message, NodeId } from "../core/types.js";
import type { PeerEvent, Transport } from "../transport/transport.js";
import type { BareNode } from "./bare-node.js";
import type { Contacts } from "./contacts.js";
import { packFrame, raftFrame, requestFrame, transferFrame, unpackFrame } from "./frames.js";
import type { Guards } from "./guards.js";
import type { Measures } from "./measures.js";
import type { Metrics } from "./metrics.js";
import type { NodeEvent } from "./node-events.js";
import type { Requests } from "./node-requests.js";
import { Repetitions } from "./repetitions.js";
import {
  decodeRequestFrame,
  encodeRequestFrame,
  type Request,
  type RequestFrame,
} from "./requests.js";
import type { Transfers } from "./transfers.js";

/** Appends above so many bytes travel as bulk, behind heartbeats and votes. */
const bulkBytes = 64 * 1024;

export interface WireParts<Result> {
  readonly transport: Transport;
  readonly metrics: Metrics;
  readonly measures: Measures;
  readonly contacts: Contacts;
  readonly requests: Requests<Result>;
  readonly transfers: Transfers;
  readonly guards: Guards;
  bare(): BareNode<Result>;
  members(): ReadonlySet<NodeId>;
  running(): boolean;
  emit(event: NodeEvent): void;
}

export class Wire<Result> {
  readonly #parts: WireParts<Result>;
  readonly #repetitions = new Repetitions();
  /** Frames that were malformed, or from whom they must not be. */
  refused = 0;

  constructor(parts: WireParts<Result>) {
    this.#parts = parts;
  }

  send(to: NodeId, message: Message): boolean {
    const { metrics, transport } = this.#parts;
    metrics.count("raft_messages_sent_total");
    const inline = message.snapshot?.data.length ?? 0;
    this.#parts.measures.rpc?.sent(message);
    if (message.type === "MsgSnap" && inline === 0) {
      this.#parts.measures.sending(to);
      return this.#parts.transfers.start(message);
    }
    const frame = packFrame(raftFrame, encodeMessages([message]));
    if (transport.send(to, frame, { bulk: frame.length > bulkBytes })) return true;
    metrics.count("raft_messages_dropped_total");
    return false;
  }

  configured(): void {
    this.#repetitions.keep(this.#parts.members());
  }

  link(event: PeerEvent): void {
    const { peer } = event;
    const up = event.type === "up";
    if (up) this.#parts.requests.linked();
    else {
      this.#parts.bare().unreachable(peer);
      this.#parts.requests.unreachable(peer);
      this.#parts.transfers.unreachable(peer);
    }
    this.#parts.guards.linked(peer, up);
    const reason = event.type === "down" ? event.reason : undefined;
    this.#parts.emit({ type: "link", peer, up, reason });
  }

  receive(from: NodeId, frame: Uint8Array): void {
    if (!this.#parts.running()) return;
    this.#parts.contacts.heard(from);
    try {
      const { kind, body } = unpackFrame(frame);
      const { rpc } = this.#parts.measures;
      if (kind === raftFrame) {
        const messages = rpc?.decoding("raft", body, decodeMessages) ?? decodeMessages(body);
        this.#onMessages(from, messages);
      } else if (kind === requestFrame) this.#onRequest(from, decodeRequestFrame(body));
      else if (kind === transferFrame) this.#parts.transfers.receive(from, body);
      else throw new DecodeError(`a frame of kind ${kind}, which this node does not speak`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.refused += 1;
      this.#parts.metrics.count("raft_frames_refused_total");
    }
  }

  #onMessages(from: NodeId, messages: readonly Message[]): void {
    this.#parts.metrics.count("raft_messages_received_total", messages.length);
    for (const message of messages) {
      const { type, term } = message;
      this.#parts.measures.rpc?.received(from, message);
      if (type !== "MsgVote" && type !== "MsgPreVote") continue;
      this.#parts.emit({ type: "vote", candidate: from, term, preVote: type === "MsgPreVote" });
    }
    this.#parts.bare().step(from, messages);
  }

  #onRequest(from: NodeId, frame: RequestFrame): void {
    const { guards, requests } = this.#parts;
    if (frame.type === "request") this.#serve(from, frame);
    else if (frame.type === "about") guards.about(from, frame);
    else if (frame.type === "state") guards.checks.answered(from, frame.hash);
    else if (frame.type === "diverged") guards.checks.told(from, frame.id);
    else if (frame.type === "check") guards.checks.askedToCheck(from);
    else requests.answered(from, frame);
  }

  #serve(from: NodeId, frame: Extract<RequestFrame, { type: "request" }>): void {
    const { id } = frame;
    // Only members are served: anybody else may be linked, but has no say.
    if (!this.#parts.members().has(from)) {
      this.refused += 1;
      return;
    }
    if (!this.#repetitions.isNew(from, id)) return;
    const answer = this.#answer(id, frame.request);
    this.#parts.transport.send(from, packFrame(requestFrame, encodeRequestFrame(answer)));
  }

  #answer(id: number, request: Request): RequestFrame {
    try {
      return { type: "accepted", id, placed: this.#parts.requests.serve(request) };
    } catch (error) {
      if (!isLogboomError(error)) throw error;
      return { type: "refused", id, error };
    }
  }
}
