/**
 * One transport over several kinds of link, chosen per peer and without restart.
 *
 * Peers are found by a relay and, those of the same profile, by BroadcastChannel; a link is WebRTC where it opens, sealed
 * BroadcastChannel between tabs of one profile where it does not, a port between peers of one page. The decisions are
 * signaling.ts's and link-table.ts's; this is the shell that carries them out: it starts channels, has an `Authenticate` ask
 * who is there, and hands open ones to the table.
 *
 * Everybody who holds the room's secret can get a link; who is a member is decided above.
 */
import type { Cancel, Clock } from "../base/clock.js";
import { createEmitter } from "../base/emitter.js";
import type { Random } from "../base/random.js";
import type { NodeId } from "../core/types.js";
import { type BroadcastBus, broadcastAvailable, openBroadcast, portChannel } from "./broadcast.js";
import type { Authenticate, Boot, Channel, Credentials } from "./channel.js";
import type { Effect } from "./effects.js";
import { LinkTable } from "./link-table.js";
import type { Sealer } from "./sealer.js";
import type { Session, Signal } from "./session.js";
import { Signaling } from "./signaling.js";
import type { LinkKind, PeerEvent, SendOptions, Transport } from "./transport.js";
import type { Way, WayEvents, WayName } from "./way.js";
import { openRtc, type RtcImplementation, rtcAvailable } from "./webrtc.js";

export interface FallbackOptions {
  readonly self: NodeId;
  readonly boot: Boot;
  readonly clock: Clock;
  readonly random: Random;
  readonly sealer: Sealer;
  readonly authenticate: Authenticate;
  /** Opens the relay's way. Undefined: no relay. */
  readonly relay: ((events: WayEvents) => Way) | undefined;
  /** The profile's channel for this room. Undefined: none. */
  readonly profileChannel: string | undefined;
  readonly iceServers: readonly RTCIceServer[];
  /** Node's WebRTC; browsers have their own. `"off"`: no WebRTC at all. */
  readonly rtc: RtcImplementation | "off" | undefined;
}

export interface FallbackTransport extends Transport {
  /** How a peer is reached right now. */
  via(peer: NodeId): LinkKind | undefined;
  /** What a linked peer has proved to be; undefined for ports and for peers without a link. */
  credentials(peer: NodeId): Credentials | undefined;
  /** Peers heard of, linked or not. */
  known(): readonly NodeId[];
  onKnown(listener: (peer: NodeId) => void): () => void;
  /** True while a peer that is there cannot be reached by WebRTC: "TURN needed". */
  readonly iceFailed: boolean;
  /** Envelopes, channels and messages that were refused. */
  readonly refused: number;
  /** Takes one end of a MessageChannel whose other end `peer` has (`connectPort`). */
  addPort(peer: NodeId, port: MessagePort): void;
}

/** From a channel's opening to a proof from the other end. */
const handshakeMs = 10_000;
const tickMs = 500;

export function createFallbackTransport(options: FallbackOptions): FallbackTransport {
  return new Fallback(options);
}

/** Links two transports of one page. */
export function connectPort(a: FallbackTransport, b: FallbackTransport): void {
  const { port1, port2 } = new MessageChannel();
  a.addPort(b.self, port1);
  b.addPort(a.self, port2);
}

/** A session's channel on its way to become a link. */
interface Opening {
  readonly session: Session;
  signal(signal: Signal): void;
  destroy(): void;
  /** Of the handshake; nothing before it begins. */
  cancel: Cancel;
}

class Fallback implements FallbackTransport {
  readonly self: NodeId;
  readonly #options: FallbackOptions;
  readonly #signaling: Signaling;
  readonly #links: LinkTable;
  readonly #ways = new Map<WayName, Way>();
  readonly #known = createEmitter<NodeId>();
  readonly #openings = new Map<string, Opening>();
  readonly #ticking: Cancel;
  readonly #rtc: RtcImplementation | undefined;
  #bus: BroadcastBus | undefined;
  #receive: (from: NodeId, frame: Uint8Array) => void = () => {};
  #refused = 0;
  #closed = false;
  #flushing = false;

  constructor(options: FallbackOptions) {
    const { self, boot, random, clock, rtc } = options;
    this.self = self;
    this.#options = options;
    this.#rtc = rtc === "off" ? undefined : rtc;
    this.#signaling = new Signaling({
      self,
      boot,
      random,
      rtcAvailable: rtc !== "off" && rtcAvailable(rtc),
    });
    this.#links = new LinkTable({
      clock,
      onFrame: (from, frame) => this.#receive(from, frame),
      onGone: (peer, kind) => {
        this.#signaling.unlinked(peer, kind, clock.now());
        this.#flush();
      },
      onMalformed: () => {
        this.#refused++;
      },
    });
    this.#ticking = clock.every(tickMs, () => {
      this.#signaling.tick(clock.now());
      this.#flush();
    });
    this.#openWays();
  }

  send(to: NodeId, frame: Uint8Array, options?: SendOptions): boolean {
    return !this.#closed && this.#links.send(to, frame, options?.bulk === true);
  }

  onFrame(receive: (from: NodeId, frame: Uint8Array) => void): void {
    this.#receive = receive;
  }

  onPeer(listener: (event: PeerEvent) => void): () => void {
    return this.#links.events.on(listener);
  }

  onKnown(listener: (peer: NodeId) => void): () => void {
    return this.#known.on(listener);
  }

  peers(): readonly NodeId[] {
    return this.#links.peers();
  }

  known(): readonly NodeId[] {
    return this.#signaling.known();
  }

  via(peer: NodeId): LinkKind | undefined {
    return this.#links.via(peer);
  }

  credentials(peer: NodeId): Credentials | undefined {
    return this.#links.credentials(peer);
  }

  get iceFailed(): boolean {
    return this.#signaling.iceFailed;
  }

  get refused(): number {
    return this.#refused + this.#signaling.refused + (this.#bus?.refused ?? 0);
  }

  addPort(peer: NodeId, port: MessagePort): void {
    if (this.#closed) {
      port.close();
      return;
    }
    this.#links.add(peer, portChannel(port), undefined);
    this.#signaling.portLinked(peer, this.#options.clock.now());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#receive = () => {};
    this.#signaling.goodbye();
    this.#flush();
    this.#closed = true;
    this.#ticking();
    this.#known.clear();
    for (const opening of this.#openings.values()) {
      opening.cancel();
      opening.destroy();
    }
    this.#openings.clear();
    this.#links.close();
    for (const way of this.#ways.values()) way.close();
  }

  // ── ways ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #openWays(): void {
    const { self, sealer, profileChannel, relay } = this.#options;
    if (profileChannel !== undefined && broadcastAvailable()) {
      const events = this.#wayEvents("broadcast");
      this.#bus = openBroadcast({ self, name: profileChannel, sealer, events });
      this.#ways.set("broadcast", this.#bus);
    }
    if (relay !== undefined) this.#ways.set("relay", relay(this.#wayEvents("relay")));
  }

  #wayEvents(way: WayName): WayEvents {
    const { clock } = this.#options;
    const then = (act: () => void): void => {
      if (this.#closed) return;
      act();
      this.#flush();
    };
    return {
      up: (addresses) => then(() => this.#signaling.wayUp(way, addresses, clock.now())),
      down: () => then(() => this.#signaling.wayDown(way)),
      arrived: (address) => then(() => this.#signaling.arrived(way, address)),
      left: (address) => then(() => this.#signaling.left(way, address)),
      received: (from, plain) =>
        then(() => this.#signaling.received(way, from, plain, clock.now())),
    };
  }

  /** Carries out what signaling decided. Effects may cause new ones, which join the queue rather than nest. */
  #flush(): void {
    if (this.#flushing || this.#closed) return;
    this.#flushing = true;
    try {
      for (;;) {
        const effects = this.#signaling.take();
        if (effects.length === 0) return;
        for (const effect of effects) this.#carryOut(effect);
      }
    } finally {
      this.#flushing = false;
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "send":
        this.#ways.get(effect.way)?.send(effect.address, effect.envelope);
        return;
      case "dial":
        this.#open(effect.session);
        return;
      case "accept":
        this.#open(effect.session);
        this.#openings.get(effect.session.key)?.signal({ type: "offer", payload: effect.offer });
        return;
      case "signal":
        this.#openings.get(effect.session.key)?.signal(effect.signal);
        return;
      case "abandon":
        this.#discard(effect.session);
        return;
      case "known":
        this.#known.emit(effect.peer);
        return;
      case "gone":
        this.#links.drop(effect.peer, effect.reason);
    }
  }

  // ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #open(session: Session): void {
    if (session.link === "webrtc") this.#openRtc(session);
    else this.#openBroadcast(session);
  }

  #openRtc(session: Session): void {
    const rtc = openRtc({
      initiator: session.initiator,
      iceServers: this.#options.iceServers,
      rtc: this.#rtc,
      onSignal: (signal) => this.#say(session, signal),
      onOpen: (channel, selfBinding, peerBinding) =>
        this.#shakeHands(session, channel, selfBinding, peerBinding),
      onFailed: () => this.#fail(session, true),
    });
    this.#openings.set(session.key, {
      session,
      signal: (signal) => rtc.signal(signal),
      destroy: () => rtc.destroy(),
      cancel: () => {},
    });
  }

  /** Nothing has to be found out first: the offer and the answer are the agreement itself. */
  #openBroadcast(session: Session): void {
    const channel = this.#bus?.openChannel(session);
    if (channel === undefined) {
      this.#fail(session, false);
      return;
    }
    const none = new Uint8Array(0);
    this.#openings.set(session.key, {
      session,
      signal: (signal) => {
        if (signal.type === "offer") this.#say(session, { type: "answer", payload: none });
        if (signal.type !== "candidate") this.#shakeHands(session, channel, none, none);
      },
      destroy: () => channel.close(),
      cancel: () => {},
    });
    if (session.initiator) this.#say(session, { type: "offer", payload: none });
  }

  #say(session: Session, signal: Signal): void {
    this.#signaling.localSignal(session, signal);
    this.#flush();
  }

  #shakeHands(
    session: Session,
    channel: Channel,
    selfBinding: Uint8Array,
    peerBinding: Uint8Array,
  ): void {
    const opening = this.#openings.get(session.key);
    if (opening === undefined || this.#closed) return;
    const { clock, self, boot, authenticate } = this.#options;
    const late = clock.after(handshakeMs, () => this.#fail(session, false));
    const context = {
      self,
      peer: session.peer,
      initiator: session.initiator,
      selfBoot: boot,
      peerBoot: session.peerBoot,
      session: session.id,
      selfBinding,
      peerBinding,
    };
    const cancel = authenticate(channel, context, (result) => {
      late();
      if ("failed" in result) {
        if (result.misbehaved) this.#refused++;
        this.#fail(session, false);
      } else {
        this.#opened(session, channel, result);
      }
    });
    opening.cancel = () => {
      late();
      cancel();
    };
  }

  #opened(session: Session, channel: Channel, credentials: Credentials): void {
    this.#openings.delete(session.key);
    this.#signaling.opened(session, this.#options.clock.now());
    this.#links.add(session.peer, channel, credentials);
    this.#flush();
  }

  #fail(session: Session, unreachable: boolean): void {
    this.#discard(session);
    this.#signaling.failed(session, this.#options.clock.now(), unreachable);
    this.#flush();
  }

  #discard(session: Session): void {
    const opening = this.#openings.get(session.key);
    if (opening === undefined) return;
    this.#openings.delete(session.key);
    opening.cancel();
    opening.destroy();
  }
}
