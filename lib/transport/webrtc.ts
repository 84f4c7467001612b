/**
 * WebRTC data channels, by simple-peer; the only file that knows it.
 *
 * What simple-peer wants known: handlers are attached at construction (data may come before `connect`); an error is an event and
 * throws when nobody listens; `destroy` must always be called (a page has 499 connections and gets closed ones back late); without
 * `config` it would ask strangers' STUN servers; in object mode messages stay apart.
 *
 * It is loaded when the first connection is opened, because loading it already looks for the platform's WebRTC.
 *
 * Signals from afar are taken apart and put together again here, so that nothing else of simple-peer's can be reached through them.
 *
 * Not here: who dials (signaling.ts), who is at the other end (an `Authenticate`), heartbeats (link.ts).
 */
import type Peer from "simple-peer/simplepeer.min.js";
import { DecodeError } from "../base/errors.js";
import * as wire from "../codec/wire.js";
import type { Channel, ChannelHandlers } from "./channel.js";
import type { Signal } from "./session.js";

/** What a Node process passes in; browsers have their own. */
export interface RtcImplementation {
  readonly RTCPeerConnection: unknown;
  readonly RTCSessionDescription: unknown;
  readonly RTCIceCandidate: unknown;
}

export interface RtcOptions {
  readonly initiator: boolean;
  readonly iceServers: readonly RTCIceServer[];
  readonly rtc: RtcImplementation | undefined;
  /** For the other end. */
  onSignal(signal: Signal): void;
  /** The channel is open. Bindings are the DTLS fingerprints of this side and the other. */
  onOpen(channel: Channel, selfBinding: Uint8Array, peerBinding: Uint8Array): void;
  /** It never opened. Not called after `destroy`. */
  onFailed(reason: string): void;
}

export interface RtcAttempt {
  /** From the other end; anything malformed ends the attempt. */
  signal(signal: Signal): void;
  /** Ends the attempt, or the channel. Idempotent. */
  destroy(): void;
}

/** True when this platform, or the implementation passed in, has WebRTC. */
export function rtcAvailable(rtc: RtcImplementation | undefined): boolean {
  return rtc !== undefined || typeof globalThis.RTCPeerConnection === "function";
}

/** 16 KiB in all: safe in every browser (Chromium refuses messages above 256 KiB). */
const messageBytesMax = 16 * 1024;

/** The part of simple-peer that its types leave out. */
interface Inside {
  readonly _channel: RTCDataChannel | null;
}

export function openRtc(options: RtcOptions): RtcAttempt {
  return new Rtc(options);
}

/** Messages that may come before the handshake listens: its own first ones. */
const earlyMax = 4;

/** One connection: an attempt until it opens, a channel from then on. */
class Rtc implements RtcAttempt, Channel {
  readonly kind = "webrtc";
  readonly messageBytesMax = messageBytesMax;
  readonly #options: RtcOptions;
  /** Undefined until simple-peer is loaded. */
  #peer: (Peer.Instance & Inside) | undefined;
  /** Signals that came before. */
  #waiting: Signal[] = [];
  /** The session descriptions, of which the fingerprints are taken. */
  #local = "";
  #remote = "";
  #handlers: ChannelHandlers | undefined;
  #early: Uint8Array[] = [];
  #ended = false;

  constructor(options: RtcOptions) {
    this.#options = options;
    void import("simple-peer/simplepeer.min.js")
      .then(({ default: loaded }) => this.#start(loaded))
      .catch((error) => this.#end(String(error))); // not loaded, out of connections, or iceServers the platform refuses
  }

  #start(SimplePeer: typeof Peer): void {
    if (this.#ended) return;
    const { initiator, iceServers, rtc } = this.#options;
    const peer = new SimplePeer({
      initiator,
      objectMode: true,
      config: { iceServers: [...iceServers] },
      ...(rtc === undefined ? {} : { wrtc: rtc as never }),
    }) as Peer.Instance & Inside;
    this.#peer = peer;
    peer.on("error", (error: Error) => this.#end(error.message));
    peer.on("close", () => this.#end("the channel closed"));
    peer.on("data", (data: unknown) => this.#receive(data));
    peer.on("signal", (data: unknown) => this.#say(data));
    peer.on("connect", () => this.#open());
    for (const signal of this.#waiting.splice(0)) this.signal(signal);
  }

  // ── the attempt ─────────────────────────────────────────────────────────────────────────────────────────────────

  signal(signal: Signal): void {
    if (this.#ended) return;
    if (this.#peer === undefined) {
      this.#waiting.push(signal);
      return;
    }
    try {
      if (signal.type !== "candidate") this.#remote = utf8(signal.payload);
      this.#peer.signal(decodeSignal(signal));
    } catch (error) {
      this.#end(`a signal that does not fit: ${String(error)}`);
    }
  }

  destroy(): void {
    this.close();
  }

  #say(data: unknown): void {
    const signal = encodeSignal(data);
    if (this.#ended || signal === undefined) return;
    if (signal.type !== "candidate") this.#local = utf8(signal.payload);
    this.#options.onSignal(signal);
  }

  #open(): void {
    if (this.#ended) return;
    const [selfBinding, peerBinding] = [fingerprintOf(this.#local), fingerprintOf(this.#remote)];
    if (selfBinding === undefined || peerBinding === undefined) {
      this.#end("not exactly one SHA-256 fingerprint");
      return;
    }
    const channel = this.#peer?._channel;
    channel?.addEventListener?.("bufferedamountlow", () => this.#handlers?.drained());
    this.#options.onOpen(this, selfBinding, peerBinding);
  }

  // ── the channel ─────────────────────────────────────────────────────────────────────────────────────────────────

  get bufferedBytes(): number {
    return this.#peer?._channel?.bufferedAmount ?? 0;
  }

  listen(handlers: ChannelHandlers): void {
    this.#handlers = handlers;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) handlers.message(bytes);
  }

  send(message: Uint8Array<ArrayBuffer>): boolean {
    if (this.#ended || !this.#peer?.connected) return false;
    try {
      this.#peer.send(message);
      return true;
    } catch {
      return false; // closing, or its queue is full: the link is given up and built anew
    }
  }

  /** `destroy` right after `send` loses what was sent; closing the channel first delivers it, and simple-peer destroys itself then. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    const channel = this.#peer?._channel;
    if (channel?.readyState === "open" && channel.bufferedAmount > 0) channel.close();
    else this.#peer?.destroy();
  }

  #receive(data: unknown): void {
    if (this.#ended) return;
    const bytes = asBytes(data);
    if (bytes === undefined) this.#end("a message that is not binary");
    else if (this.#handlers !== undefined) this.#handlers.message(bytes);
    else if (this.#early.length < earlyMax) this.#early.push(bytes);
    else this.#end("too much before the handshake");
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#peer?.destroy();
    if (this.#handlers === undefined) this.#options.onFailed(reason);
    else this.#handlers.closed(reason);
  }
}

// ── signals ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** simple-peer's signal in our form; undefined for those that data channels do not need. */
function encodeSignal(data: unknown): Signal | undefined {
  const { type, sdp, candidate } = data as {
    type?: string;
    sdp?: string;
    candidate?: RTCIceCandidateInit;
  };
  if ((type === "offer" || type === "answer") && typeof sdp === "string") {
    return { type, payload: new TextEncoder().encode(sdp) };
  }
  if (candidate === undefined || typeof candidate.candidate !== "string") return undefined;
  const line = candidate.sdpMLineIndex ?? 0;
  const payload = wire.message(
    wire.u16(line),
    wire.text(candidate.sdpMid ?? ""),
    new TextEncoder().encode(candidate.candidate),
  );
  return { type: "candidate", payload };
}

/** @throws DecodeError */
function decodeSignal(signal: Signal): Peer.SignalData {
  if (signal.type !== "candidate") return { type: signal.type, sdp: utf8(signal.payload) };
  const reader = new wire.WireReader(signal.payload);
  const [sdpMLineIndex, sdpMid] = [reader.u16(), reader.text()];
  const candidate = { candidate: utf8(reader.rest()), sdpMLineIndex, sdpMid };
  return { type: "candidate", candidate: candidate as RTCIceCandidate };
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DecodeError("a signal is not UTF-8", { cause });
  }
}

/** The one certificate of a session description; undefined unless there is exactly one, by SHA-256. */
export function fingerprintOf(sdp: string): Uint8Array | undefined {
  const lines = sdp.match(/^a=fingerprint:.*$/gim) ?? [];
  const values = new Set(lines.map((line) => line.trim().toLowerCase()));
  const [only] = values;
  const match = /^a=fingerprint:sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/.exec(only ?? "");
  if (values.size !== 1 || match?.[1] === undefined) return undefined;
  return Uint8Array.from(match[1].split(":"), (pair) => Number.parseInt(pair, 16));
}

/** simple-peer hands out a Buffer class of its own; a string means somebody else's code is at the other end. */
function asBytes(data: unknown): Uint8Array | undefined {
  if (!ArrayBuffer.isView(data)) return undefined;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
