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
 * and a rising sequence, offers of a session that was seen are refused, a boot that was followed by a later one or by a goodbye never counts
 * again. A replay may waste an attempt; what authenticates is the handshake on the open channel (`Authenticate`).
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
import {
  type DialledKind,
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  type SessionEnvelope,
  sessionBytes,
} from "./envelope.js";
import type { LinkKind } from "./transport.js";

/** Where envelopes travel: a relay, or a BroadcastChannel of this profile. */
export type WayName = "relay" | "broadcast";

/** An address of a way: a relay's connId, or 0 for everybody on it. */
export type Address = number;
export const toAll: Address = 0;

export interface SignalingOptions {
  readonly self: NodeId;
  readonly boot: Boot;
  readonly random: Random;
  /** False where WebRTC does not exist: it is neither dialled nor accepted. */
  readonly rtcAvailable: boolean;
}

export interface Session {
  /** Hexadecimal of the 16 random bytes. */
  readonly key: string;
  readonly id: Uint8Array;
  readonly peer: NodeId;
  readonly peerBoot: Boot;
  readonly link: DialledKind;
  readonly initiator: boolean;
}

/** What one end of a session has to say to the other; opaque here. */
export interface Signal {
  readonly type: "offer" | "answer" | "candidate";
  readonly payload: Uint8Array;
}

export type Effect =
  | {
      readonly type: "send";
      readonly way: WayName;
      readonly address: Address;
      readonly envelope: Uint8Array;
    }
  /** Start a channel and report its signals (`localSignal`) and its end (`opened`, `failed`). */
  | { readonly type: "dial"; readonly session: Session }
  /** The same on the other side; the offer is the first signal. */
  | { readonly type: "accept"; readonly session: Session; readonly offer: Uint8Array }
  | { readonly type: "signal"; readonly session: Session; readonly signal: Signal }
  /** Give the attempt up; not to be reported back. */
  | { readonly type: "abandon"; readonly session: Session; readonly reason: string }
  | { readonly type: "known"; readonly peer: NodeId }
  /** The peer's boot has ended: its links are dead. */
  | { readonly type: "gone"; readonly peer: NodeId; readonly reason: string };

/** Milliseconds, and bounds. */
export const signalingDefaults = {
  sessionMs: 10_000,
  retryMs: 1_000,
  retryMsMax: 30_000,
  /** A link that held so long and broke is dialled again within `redialMs`. */
  steadyMs: 10_000,
  redialMs: 500,
  /** WebRTC gets so long before peers of one profile also try BroadcastChannel. */
  broadcastAfterMs: 2_000,
  /** A BroadcastChannel says hello so often, and forgets who was not heard for three times as long. */
  broadcastHelloMs: 4_000,
  /** A relay is asked so often while somebody on it is not linked. */
  relayHelloMs: 15_000,
  peersMax: 256,
  seenSessionsMax: 1_024,
  acceptingMax: 32,
} as const;

interface Attempt {
  readonly session: Session;
  readonly startedAt: number;
  sent: number;
  received: number;
}

interface Backoff {
  failures: number;
  notBefore: number;
}

const noBackoff = (): Backoff => ({ failures: 0, notBefore: 0 });

interface Peer {
  readonly id: NodeId;
  boot: Boot;
  /** This boot has said goodbye. */
  departed: boolean;
  readonly ways: Map<WayName, { address: Address; heardAt: number }>;
  readonly attempts: Map<DialledKind, Attempt>;
  /** Open links, and since when. */
  readonly links: Map<LinkKind, number>;
  backoff: Record<DialledKind, Backoff>;
  /** WebRTC attempts since the last that opened in which both ends spoke and found no path. */
  iceFailures: number;
  /** Since when it is heard of and has no link. */
  unlinkedSince: number;
}

interface WayState {
  readonly addresses: Set<Address>;
  helloAt: number;
}

export class Signaling {
  readonly #self: NodeId;
  readonly #boot: Boot;
  readonly #random: Random;
  readonly #rtcAvailable: boolean;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #ways = new Map<WayName, WayState>();
  /** Sessions offered to us, oldest first; a Set keeps insertion order. */
  readonly #seen = new Set<string>();
  readonly #ports = new Set<NodeId>();
  #effects: Effect[] = [];
  #refused = 0;

  constructor(options: SignalingOptions) {
    this.#self = options.self;
    this.#boot = options.boot;
    this.#random = options.random;
    this.#rtcAvailable = options.rtcAvailable;
  }

  /** Envelopes that were malformed, replayed or out of place. */
  get refused(): number {
    return this.#refused;
  }

  /** Peers heard of and not gone. */
  known(): readonly NodeId[] {
    return [...this.#peers.values()].filter((peer) => !peer.departed).map((peer) => peer.id);
  }

  /** Somebody is heard of, has no link, and WebRTC has failed twice and more: a TURN server may be needed. */
  get iceFailed(): boolean {
    return [...this.#peers.values()].some(
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
    this.#ways.set(way, { addresses: new Set(addresses), helloAt: now });
    this.#hello(way, toAll, true);
  }

  wayDown(way: WayName): void {
    this.#ways.delete(way);
    for (const peer of this.#peers.values()) peer.ways.delete(way);
  }

  /** The newcomer says hello itself; until it does, it keeps our hellos coming. */
  arrived(way: WayName, address: Address): void {
    this.#ways.get(way)?.addresses.add(address);
  }

  left(way: WayName, address: Address): void {
    this.#ways.get(way)?.addresses.delete(address);
    for (const peer of this.#peers.values()) {
      if (peer.ways.get(way)?.address === address) peer.ways.delete(way);
    }
  }

  /** An envelope, unsealed. */
  received(way: WayName, address: Address, plain: Uint8Array, now: number): void {
    let envelope: Envelope;
    try {
      envelope = decodeEnvelope(plain);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refused++;
      return;
    }
    if (envelope.from === this.#self) return; // our own, come back; or an earlier boot of ours, played back
    if (envelope.to !== 0 && envelope.to !== this.#self) return; // a way without addresses carries it to all
    if (envelope.type === "bye" && !this.#peers.has(envelope.from)) return;
    const peer = this.#recognise(envelope, now);
    if (peer === undefined) {
      this.#refused++;
      return;
    }
    const isNew = !peer.ways.has(way);
    peer.ways.set(way, { address, heardAt: now });
    this.#handle(peer, envelope, way, isNew, now);
    this.#dialWhereDue(peer, now);
  }

  // ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A channel of this session has something to tell the other end. */
  localSignal(session: Session, signal: Signal): void {
    const attempt = this.#attempt(session);
    if (attempt === undefined) return;
    this.#sendInSession(attempt, signal.type, signal.payload);
  }

  /** The session has become a link. */
  opened(session: Session, now: number): void {
    const peer = this.#peers.get(session.peer);
    if (peer === undefined || this.#attempt(session) === undefined) return;
    peer.attempts.delete(session.link);
    if (session.link === "webrtc") peer.iceFailures = 0;
    peer.links.set(session.link, now);
  }

  /** The session came to nothing before its time ran out. `unreachable`: no path was found, rather than a wrong peer at its end. */
  failed(session: Session, now: number, unreachable: boolean): void {
    const peer = this.#peers.get(session.peer);
    const attempt = this.#attempt(session);
    if (peer === undefined || attempt === undefined) return;
    this.#giveUp(peer, attempt, now, unreachable);
    this.#dialWhereDue(peer, now);
  }

  /** A link that was not dialled; the peer need not have been heard of. */
  portLinked(id: NodeId, now: number): void {
    this.#ports.add(id);
    this.#peers.get(id)?.links.set("port", now);
  }

  /** The link of this kind is gone. One that held is built anew soon; one that did not counts as a failure. */
  unlinked(id: NodeId, kind: LinkKind, now: number): void {
    if (kind === "port") this.#ports.delete(id);
    const peer = this.#peers.get(id);
    const since = peer?.links.get(kind);
    if (peer === undefined || since === undefined) return;
    peer.links.delete(kind);
    if (peer.links.size === 0) peer.unlinkedSince = now;
    if (kind !== "webrtc" && kind !== "broadcast") return;
    const { steadyMs, redialMs } = signalingDefaults;
    if (now - since < steadyMs) this.#delay(peer, kind, now);
    else peer.backoff[kind] = { failures: 0, notBefore: now + this.#random.below(redialMs) };
  }

  /** Tells everybody that this boot ends. */
  goodbye(): void {
    const envelope = encodeEnvelope({ type: "bye", from: this.#self, to: 0, boot: this.#boot });
    for (const way of this.#ways.keys())
      this.#effects.push({ type: "send", way, address: toAll, envelope });
  }

  /** Call about once a second. */
  tick(now: number): void {
    for (const [name, way] of this.#ways) this.#helloWhereDue(name, way, now);
    for (const peer of this.#peers.values()) {
      this.#expire(peer, now);
      this.#dialWhereDue(peer, now);
    }
  }

  // ── who is there ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** The sender as a peer, its record brought up to this boot; undefined when the boot no longer counts. */
  #recognise(envelope: Envelope, now: number): Peer | undefined {
    const { from, boot } = envelope;
    const peer = this.#peers.get(from);
    if (peer === undefined) {
      return this.#makeRoom() ? this.#meet(from, boot, now) : undefined;
    }
    if (boot.counter < peer.boot.counter) return undefined;
    if (boot.counter === peer.boot.counter) {
      return equalBytes(boot.nonce, peer.boot.nonce) && !peer.departed ? peer : undefined;
    }
    this.#end(peer, "was opened anew");
    peer.boot = ownCopy(boot);
    peer.departed = false;
    peer.ways.clear();
    this.#keepOnlyPort(peer, now);
    peer.unlinkedSince = now;
    peer.backoff = { webrtc: noBackoff(), broadcast: noBackoff() };
    peer.iceFailures = 0;
    this.#effects.push({ type: "known", peer: from });
    return peer;
  }

  #meet(id: NodeId, boot: Boot, now: number): Peer {
    const peer: Peer = {
      id,
      boot: ownCopy(boot),
      departed: false,
      ways: new Map(),
      attempts: new Map(),
      links: new Map(),
      backoff: { webrtc: noBackoff(), broadcast: noBackoff() },
      iceFailures: 0,
      unlinkedSince: now,
    };
    this.#keepOnlyPort(peer, now);
    this.#peers.set(id, peer);
    this.#effects.push({ type: "known", peer: id });
    return peer;
  }

  #keepOnlyPort(peer: Peer, now: number): void {
    peer.links.clear();
    if (this.#ports.has(peer.id)) peer.links.set("port", now);
  }

  /** The one longest unheard of and unlinked gives way. */
  #makeRoom(): boolean {
    if (this.#peers.size < signalingDefaults.peersMax) return true;
    for (const peer of this.#peers.values()) {
      if (peer.ways.size === 0 && peer.links.size === 0 && peer.attempts.size === 0) {
        return this.#peers.delete(peer.id);
      }
    }
    return false;
  }

  #end(peer: Peer, reason: string): void {
    for (const attempt of peer.attempts.values()) this.#abandon(attempt, reason);
    peer.attempts.clear();
    this.#effects.push({ type: "gone", peer: peer.id, reason });
  }

  // ── what they say ─────────────────────────────────────────────────────────────────────────────────────────────────

  #handle(peer: Peer, envelope: Envelope, way: WayName, isNew: boolean, now: number): void {
    switch (envelope.type) {
      case "hello":
        if (envelope.wantsReply || isNew)
          this.#hello(way, peer.ways.get(way)?.address ?? toAll, false, peer.id);
        return;
      case "bye":
        this.#end(peer, "said goodbye");
        peer.departed = true;
        peer.ways.clear();
        this.#keepOnlyPort(peer, now);
        return;
      case "offer":
        this.#handleOffer(peer, envelope, now);
        return;
      default:
        this.#handleInSession(peer, envelope, now);
    }
  }

  #handleOffer(peer: Peer, offer: SessionEnvelope, now: number): void {
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
    this.#remember(key);
    const earlier = peer.attempts.get(offer.link);
    if (earlier !== undefined) this.#abandon(earlier, "offered anew");
    const session: Session = {
      key,
      id: offer.session.slice(),
      peer: peer.id,
      peerBoot: peer.boot,
      link: offer.link,
      initiator: false,
    };
    const attempt: Attempt = { session, startedAt: now, sent: 0, received: offer.sequence };
    peer.attempts.set(offer.link, attempt);
    if (!this.#mayAccept(offer.link)) {
      this.#sendInSession(attempt, "refuse", new Uint8Array(0));
      peer.attempts.delete(offer.link);
      return;
    }
    this.#effects.push({ type: "accept", session, offer: offer.payload.slice() });
  }

  #mayAccept(link: DialledKind): boolean {
    if (link === "webrtc" && !this.#rtcAvailable) return false;
    let accepting = 0;
    for (const peer of this.#peers.values()) {
      for (const attempt of peer.attempts.values()) if (!attempt.session.initiator) accepting++;
    }
    return accepting <= signalingDefaults.acceptingMax;
  }

  #handleInSession(peer: Peer, envelope: SessionEnvelope, now: number): void {
    const attempt = peer.attempts.get(envelope.link);
    const inPlace =
      attempt !== undefined &&
      equalBytes(envelope.session, attempt.session.id) &&
      equalBytes(envelope.toBootNonce, this.#boot.nonce) &&
      envelope.sequence > attempt.received &&
      (envelope.type === "candidate" || attempt.session.initiator);
    if (!inPlace) {
      // A candidate that comes after its session opened is late, not wrong.
      if (envelope.type !== "candidate") this.#refused++;
      return;
    }
    attempt.received = envelope.sequence;
    if (envelope.type === "refuse") {
      this.#abandon(attempt, "refused by the peer");
      this.#giveUp(peer, attempt, now, false);
      return;
    }
    const signal = { type: envelope.type as Signal["type"], payload: envelope.payload.slice() };
    this.#effects.push({ type: "signal", session: attempt.session, signal });
  }

  #remember(key: string): void {
    this.#seen.add(key);
    if (this.#seen.size <= signalingDefaults.seenSessionsMax) return;
    const [oldest] = this.#seen;
    if (oldest !== undefined) this.#seen.delete(oldest);
  }

  // ── what we say ───────────────────────────────────────────────────────────────────────────────────────────────────

  #hello(way: WayName, address: Address, wantsReply: boolean, to: NodeId = 0): void {
    const envelope = encodeEnvelope({
      type: "hello",
      from: this.#self,
      to,
      boot: this.#boot,
      wantsReply,
    });
    this.#effects.push({ type: "send", way, address, envelope });
  }

  #helloWhereDue(name: WayName, way: WayState, now: number): void {
    const { broadcastHelloMs, relayHelloMs } = signalingDefaults;
    const linked = new Set<Address | undefined>();
    for (const peer of this.#peers.values()) {
      if (peer.links.size > 0) linked.add(peer.ways.get(name)?.address);
    }
    const strangers = [...way.addresses].some((address) => !linked.has(address));
    const every = name === "broadcast" ? broadcastHelloMs : relayHelloMs;
    if (now - way.helloAt < every || (name === "relay" && !strangers)) return;
    way.helloAt = now;
    this.#hello(name, toAll, name === "relay");
  }

  #sendInSession(attempt: Attempt, type: SessionEnvelope["type"], payload: Uint8Array): void {
    const { session } = attempt;
    const peer = this.#peers.get(session.peer);
    const way = peer === undefined ? undefined : bestWay(peer);
    if (way === undefined) return; // unheard of by now: the attempt runs out
    attempt.sent++;
    const envelope = encodeEnvelope({
      type,
      from: this.#self,
      to: session.peer,
      boot: this.#boot,
      toBootNonce: session.peerBoot.nonce,
      session: session.id,
      sequence: attempt.sent,
      link: session.link,
      payload,
    });
    this.#effects.push({ type: "send", way: way.name, address: way.address, envelope });
  }

  // ── attempts ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #attempt(session: Session): Attempt | undefined {
    const attempt = this.#peers.get(session.peer)?.attempts.get(session.link);
    return attempt?.session.key === session.key ? attempt : undefined;
  }

  #dialWhereDue(peer: Peer, now: number): void {
    if (peer.departed || peer.ways.size === 0 || peer.id < this.#self || peer.links.has("port"))
      return;
    if (this.#rtcAvailable && this.#mayDial(peer, "webrtc", now)) this.#dial(peer, "webrtc", now);
    const waited =
      !this.#rtcAvailable ||
      peer.backoff.webrtc.failures > 0 ||
      now - peer.unlinkedSince >= signalingDefaults.broadcastAfterMs;
    const needed = peer.links.size === 0 && peer.ways.has("broadcast") && waited;
    if (needed && this.#mayDial(peer, "broadcast", now)) this.#dial(peer, "broadcast", now);
  }

  #mayDial(peer: Peer, link: DialledKind, now: number): boolean {
    return !peer.links.has(link) && !peer.attempts.has(link) && now >= peer.backoff[link].notBefore;
  }

  #dial(peer: Peer, link: DialledKind, now: number): void {
    const id = Uint8Array.from({ length: sessionBytes }, () => this.#random.below(256));
    const session: Session = {
      key: hex(id),
      id,
      peer: peer.id,
      peerBoot: peer.boot,
      link,
      initiator: true,
    };
    peer.attempts.set(link, { session, startedAt: now, sent: 0, received: 0 });
    this.#effects.push({ type: "dial", session });
  }

  #expire(peer: Peer, now: number): void {
    const { sessionMs, broadcastHelloMs } = signalingDefaults;
    for (const attempt of peer.attempts.values()) {
      if (now - attempt.startedAt < sessionMs) continue;
      this.#abandon(attempt, `not open after ${sessionMs} ms`);
      this.#giveUp(peer, attempt, now, true);
    }
    const heard = peer.ways.get("broadcast");
    if (heard !== undefined && now - heard.heardAt > 3 * broadcastHelloMs) {
      peer.ways.delete("broadcast");
    }
  }

  #giveUp(peer: Peer, attempt: Attempt, now: number, unreachable: boolean): void {
    const { link } = attempt.session;
    peer.attempts.delete(link);
    this.#delay(peer, link, now);
    // Both ends have spoken, so it is not signaling that failed.
    if (link === "webrtc" && unreachable && attempt.received > 0) peer.iceFailures++;
  }

  #abandon(attempt: Attempt, reason: string): void {
    this.#effects.push({ type: "abandon", session: attempt.session, reason });
  }

  /** Doubling from `retryMs`, half of it by chance, so that peers that failed together do not return together. */
  #delay(peer: Peer, link: DialledKind, now: number): void {
    const { retryMs, retryMsMax } = signalingDefaults;
    const backoff = peer.backoff[link];
    const whole = Math.min(retryMsMax, retryMs * 2 ** Math.min(backoff.failures, 10));
    backoff.notBefore = now + whole / 2 + this.#random.below(Math.ceil(whole / 2));
    backoff.failures++;
  }
}

/** A BroadcastChannel works without network; else the relay. */
function bestWay(peer: Peer): { name: WayName; address: Address } | undefined {
  for (const name of ["broadcast", "relay"] as const) {
    const way = peer.ways.get(name);
    if (way !== undefined) return { name, address: way.address };
  }
  return undefined;
}

/** The bytes of an envelope are views of a message. */
function ownCopy(boot: Boot): Boot {
  return { counter: boot.counter, nonce: boot.nonce.slice() };
}
