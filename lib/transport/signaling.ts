/**
 * Signaling: how peers that hear of each other agree on a link. A state machine: what happened goes in with the time,
 * what is to be done comes out as effects.
 *
 *     smaller id                            larger id
 *        │ ◄───────────── hello ────────────── │      whoever enters a way says hello; who hears a newcomer answers
 *        │ ────────────── hello ─────────────► │
 *     dial (new session)                       │
 *        │ ────────────── offer ─────────────► │ accept
 *        │ ◄───────────── answer ───────────── │
 *        │ ◄──────────── candidates ─────────► │
 *
 * The smaller id dials, so two offers never cross. A session is one attempt at one kind of link; it ends opened, failed or after
 * ten seconds. Failed ones are tried again with back-off as long as the peer is heard of.
 *
 * A recorded envelope can be played back by a relay. Against that: envelopes of a session carry the receiver's boot nonce
 * and a rising sequence, offers of a session that was seen are refused, dead boots never count again (roster.ts). A replay may waste
 * an attempt; what authenticates is the handshake on the open channel (`Authenticate`).
 *
 * A link over BroadcastChannel is agreed upon in the same way, for peers of one profile whose WebRTC does not open in time.
 *
 * Not here: sealing and carrying envelopes (relay-client.ts, broadcast.ts), channels (webrtc.ts), which link is used (link-table.ts).
 */
import { equalBytes, hex } from "../base/bytes.js";
import { DecodeError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import type { NodeId } from "../core/types.js";
import type { Boot } from "./channel.js";
import type { Effect } from "./effects.js";
import {
  type DialledKind,
  decodeEnvelope,
  type Envelope,
  type SessionEnvelope,
} from "./envelope.js";
import { Hellos, isForgotten } from "./hellos.js";
import { bestWay, type HeardPeer, Roster } from "./roster.js";
import {
  type Attempt,
  newSession,
  offeredSession,
  SeenSessions,
  type Session,
  type Signal,
} from "./session.js";
import { Speaker } from "./speaker.js";
import type { LinkKind } from "./transport.js";
import { type Address, toAll, type WayName } from "./way.js";

export interface SignalingOptions {
  readonly self: NodeId;
  readonly boot: Boot;
  readonly random: Random;
  /** False where WebRTC does not exist: it is neither dialled nor accepted. */
  readonly rtcAvailable: boolean;
}

/** Milliseconds, and bounds. */
export const signalingDefaults = {
  sessionMs: 10_000,
  /**
   * WebRTC gets so long before peers of one profile also try BroadcastChannel. It opens within a second; a machine with loopback
   * only never says that it will not (Chromium gathers for ever).
   */
  broadcastAfterMs: 1_000,
  /** Attempts under way at once, in either role: a page has some 500 connections, and half-open ones are the dear ones. */
  dialledMax: 32,
  acceptingMax: 32,
  /** Envelopes from the other end in one session: its answer and its candidates. */
  envelopesMax: 128,
} as const;

export class Signaling {
  readonly #self: NodeId;
  readonly #boot: Boot;
  readonly #speaker: Speaker;
  readonly #random: Random;
  readonly #rtcAvailable: boolean;
  readonly #roster = new Roster();
  readonly #hellos = new Hellos();
  readonly #seen = new SeenSessions();
  #effects: Effect[] = [];
  #refused = 0;

  constructor(options: SignalingOptions) {
    this.#self = options.self;
    this.#boot = options.boot;
    this.#speaker = new Speaker(options.self, options.boot);
    this.#random = options.random;
    this.#rtcAvailable = options.rtcAvailable;
  }

  /** Envelopes that were malformed, replayed or out of place. */
  get refused(): number {
    return this.#refused;
  }

  /** Peers heard of and not gone. */
  known(): readonly NodeId[] {
    return [...this.#roster].filter((peer) => !peer.departed).map((peer) => peer.id);
  }

  /** Somebody is heard of, has no link, and WebRTC found no path twice and more: a TURN server may be needed. */
  get iceFailed(): boolean {
    return [...this.#roster].some(
      (peer) => peer.links.size === 0 && peer.ways.size > 0 && peer.iceFailures >= 2,
    );
  }

  /** What is to be done since the last call. */
  take(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  // ── ways ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A way is open; `addresses` are those found there. */
  wayUp(way: WayName, addresses: readonly Address[], now: number): void {
    this.#hellos.open(way, addresses, now);
    this.#hello(way, toAll, true);
  }

  wayDown(way: WayName): void {
    this.#hellos.close(way);
    this.#roster.lost(way);
  }

  /** The newcomer says hello itself; until it does, it keeps our hellos coming. */
  arrived(way: WayName, address: Address): void {
    this.#hellos.arrived(way, address);
  }

  left(way: WayName, address: Address): void {
    this.#hellos.left(way, address);
    this.#roster.lost(way, address);
  }

  /** An envelope, unsealed. */
  received(way: WayName, address: Address, plain: Uint8Array, now: number): void {
    const envelope = this.#decode(plain);
    if (envelope === undefined) return;
    if (envelope.from === this.#self) return; // our own, come back; or an earlier boot of ours, played back
    if (envelope.to !== 0 && envelope.to !== this.#self) return; // a way without addresses carries it to all
    if (envelope.type === "bye" && this.#roster.get(envelope.from) === undefined) return;
    const peer = this.#recognise(envelope, now);
    if (peer === undefined) {
      this.#refused++;
      return;
    }
    const isNew = !peer.ways.has(way);
    peer.ways.set(way, { address, heardAt: now });
    this.#handle(peer, envelope, { way, address, isNew }, now);
    this.#dialWhereDue(peer, now);
  }

  /** Tells everybody that this boot ends. */
  goodbye(): void {
    for (const way of this.#hellos.openWays()) this.#send(way, toAll, this.#speaker.bye());
  }

  /** Call about twice a second. */
  tick(now: number): void {
    for (const way of this.#hellos.due(now, (name) => this.#roster.linkedOn(name))) {
      this.#hello(way, toAll, way === "relay");
    }
    for (const peer of this.#roster) {
      this.#expire(peer, now);
      this.#dialWhereDue(peer, now);
    }
  }

  // ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A channel of this session has something to tell the other end. */
  localSignal(session: Session, signal: Signal): void {
    const attempt = this.#attempt(session);
    if (attempt !== undefined) this.#sendInSession(attempt, signal.type, signal.payload);
  }

  /** The session has become a link. */
  opened(session: Session, now: number): void {
    const peer = this.#roster.get(session.peer);
    if (peer === undefined || this.#attempt(session) === undefined) return;
    peer.attempts.delete(session.link);
    if (session.link === "webrtc") peer.iceFailures = 0;
    peer.links.set(session.link, now);
  }

  /** The session came to nothing before its time ran out. `unreachable`: no path was found, rather than a wrong peer at its end. */
  failed(session: Session, now: number, unreachable: boolean): void {
    const peer = this.#roster.get(session.peer);
    const attempt = this.#attempt(session);
    if (peer === undefined || attempt === undefined) return;
    this.#giveUp(peer, attempt, now, unreachable);
    this.#dialWhereDue(peer, now);
  }

  /** A link that was not dialled; the peer need not have been heard of. */
  portLinked(id: NodeId, now: number): void {
    this.#roster.portOpened(id, now);
  }

  /** The link of this kind is gone. */
  unlinked(id: NodeId, kind: LinkKind, now: number): void {
    if (kind === "port") this.#roster.portClosed(id);
    const peer = this.#roster.get(id);
    const since = peer?.links.get(kind);
    if (peer === undefined || since === undefined) return;
    peer.links.delete(kind);
    if (peer.links.size === 0) peer.unlinkedSince = now;
    if (kind === "webrtc" || kind === "broadcast") {
      peer.redial[kind].broke(since, now, this.#random);
    }
  }

  // ── what others say ───────────────────────────────────────────────────────────────────────────────────────────────

  #decode(plain: Uint8Array): Envelope | undefined {
    try {
      return decodeEnvelope(plain);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refused++;
      return undefined;
    }
  }

  #recognise(envelope: Envelope, now: number): HeardPeer | undefined {
    const recognised = this.#roster.recognise(envelope.from, envelope.boot, now);
    if (recognised === undefined) return undefined;
    const { peer, first } = recognised;
    if (first === "boot") {
      this.#end(peer, "was opened anew");
      this.#roster.bootAnew(peer, envelope.boot, now);
    }
    if (first !== undefined) this.#effects.push({ type: "known", peer: peer.id });
    return peer;
  }

  #handle(
    peer: HeardPeer,
    envelope: Envelope,
    from: { readonly way: WayName; readonly address: Address; readonly isNew: boolean },
    now: number,
  ): void {
    switch (envelope.type) {
      case "hello":
        if (envelope.wantsReply || from.isNew) this.#hello(from.way, from.address, false, peer.id);
        return;
      case "bye":
        this.#end(peer, "said goodbye");
        peer.departed = true;
        peer.ways.clear();
        this.#roster.forgetLinks(peer, now);
        return;
      case "offer":
        this.#handleOffer(peer, envelope, now);
        return;
      default:
        this.#handleInSession(peer, envelope, now);
    }
  }

  #handleOffer(peer: HeardPeer, offer: SessionEnvelope, now: number): void {
    const key = hex(offer.session);
    const inPlace =
      peer.id < this.#self &&
      equalBytes(offer.toBootNonce, this.#boot.nonce) &&
      offer.sequence === 1 &&
      !this.#seen.has(key);
    if (!inPlace) {
      this.#refused++;
      return;
    }
    this.#seen.add(key);
    const earlier = peer.attempts.get(offer.link);
    if (earlier !== undefined) this.#abandon(earlier, "offered anew");
    peer.attempts.delete(offer.link);
    const declined = !this.#mayAccept(offer.link);
    const session = offeredSession(peer, offer.link, offer.session);
    const attempt: Attempt = { session, startedAt: now, sent: 0, received: offer.sequence };
    if (declined) {
      this.#sendInSession(attempt, "refuse", new Uint8Array(0));
      return;
    }
    peer.attempts.set(offer.link, attempt);
    this.#effects.push({ type: "accept", session, offer: offer.payload.slice() });
  }

  #mayAccept(link: DialledKind): boolean {
    if (link === "webrtc" && !this.#rtcAvailable) return false;
    return this.#roster.underWay(false) < signalingDefaults.acceptingMax;
  }

  #handleInSession(peer: HeardPeer, envelope: SessionEnvelope, now: number): void {
    const { type, link } = envelope;
    const attempt = peer.attempts.get(link);
    const inPlace =
      attempt !== undefined &&
      equalBytes(envelope.session, attempt.session.id) &&
      equalBytes(envelope.toBootNonce, this.#boot.nonce) &&
      envelope.sequence > attempt.received &&
      envelope.sequence <= signalingDefaults.envelopesMax &&
      (type === "candidate" || attempt.session.initiator);
    if (!inPlace) {
      // A candidate that comes after its session opened is late, not wrong.
      if (type !== "candidate") this.#refused++;
      return;
    }
    attempt.received = envelope.sequence;
    if (type === "refuse") {
      this.#abandon(attempt, "refused by the peer");
      this.#giveUp(peer, attempt, now, false);
      return;
    }
    const signal: Signal = {
      type: type === "candidate" ? type : "answer",
      payload: envelope.payload.slice(),
    };
    this.#effects.push({ type: "signal", session: attempt.session, signal });
  }

  // ── what we say ───────────────────────────────────────────────────────────────────────────────────────────────────

  #hello(way: WayName, address: Address, wantsReply: boolean, to: NodeId = 0): void {
    this.#send(way, address, this.#speaker.hello(to, wantsReply));
  }

  #send(way: WayName, address: Address, envelope: Uint8Array): void {
    this.#effects.push({ type: "send", way, address, envelope });
  }

  #sendInSession(attempt: Attempt, type: SessionEnvelope["type"], payload: Uint8Array): void {
    const peer = this.#roster.get(attempt.session.peer);
    const way = peer === undefined ? undefined : bestWay(peer);
    if (way === undefined) return; // unheard of by now: the attempt runs out
    this.#send(way.name, way.address, this.#speaker.inSession(attempt, type, payload));
  }

  // ── attempts ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #attempt(session: Session): Attempt | undefined {
    const attempt = this.#roster.get(session.peer)?.attempts.get(session.link);
    return attempt?.session.key === session.key ? attempt : undefined;
  }

  #dialWhereDue(peer: HeardPeer, now: number): void {
    const { departed, ways, links, redial } = peer;
    if (departed || ways.size === 0 || peer.id < this.#self || links.has("port")) return;
    if (this.#rtcAvailable) this.#dial(peer, "webrtc", now);
    const waited =
      !this.#rtcAvailable ||
      redial.webrtc.failures > 0 ||
      now - peer.unlinkedSince >= signalingDefaults.broadcastAfterMs;
    if (waited && links.size === 0 && ways.has("broadcast")) this.#dial(peer, "broadcast", now);
  }

  /** Unless there is such a link, or an attempt at it, or the last one is too recent. */
  #dial(peer: HeardPeer, link: DialledKind, now: number): void {
    if (peer.links.has(link) || peer.attempts.has(link) || !peer.redial[link].due(now)) return;
    if (this.#roster.underWay(true) >= signalingDefaults.dialledMax) return; // its turn comes with a later tick
    const session = newSession(peer, link, this.#random);
    peer.attempts.set(link, { session, startedAt: now, sent: 0, received: 0 });
    this.#effects.push({ type: "dial", session });
  }

  #expire(peer: HeardPeer, now: number): void {
    const { sessionMs } = signalingDefaults;
    for (const attempt of peer.attempts.values()) {
      if (now - attempt.startedAt < sessionMs) continue;
      this.#abandon(attempt, `not open after ${sessionMs} ms`);
      this.#giveUp(peer, attempt, now, true);
    }
    const heard = peer.ways.get("broadcast");
    if (heard !== undefined && isForgotten(heard.heardAt, now)) peer.ways.delete("broadcast");
  }

  #giveUp(peer: HeardPeer, attempt: Attempt, now: number, unreachable: boolean): void {
    const { link } = attempt.session;
    peer.attempts.delete(link);
    peer.redial[link].failed(now, this.#random);
    // Both ends have spoken, so it is not signaling that failed.
    if (link === "webrtc" && unreachable && attempt.received > 0) peer.iceFailures++;
  }

  #abandon(attempt: Attempt, reason: string): void {
    this.#effects.push({ type: "abandon", session: attempt.session, reason });
  }

  /** This boot of the peer is over. */
  #end(peer: HeardPeer, reason: string): void {
    for (const attempt of peer.attempts.values()) this.#abandon(attempt, reason);
    peer.attempts.clear();
    this.#effects.push({ type: "gone", peer: peer.id, reason });
  }
}
