/**
 * WebRTC data channels, by simple-peer; the only file that knows it.
 *
 * What simple-peer wants known: handlers are attached at construction (data may come before `connect`); an error is an event and
 * throws when nobody listens; `destroy` must always be called (a page has 499 connections and gets closed ones back late); without
 * `config` it would ask strangers' STUN servers; in object mode messages stay apart.
 *
 * Signals from afar are taken apart and put together again here, so that nothing else of simple-peer's can be reached through them.
 *
 * Not here: who dials (signaling.ts), who is at the other end (an `Authenticate`), heartbeats (link.ts).
 */
import Peer from "simple-peer/simplepeer.min.js";
import { DecodeError } from "../base/errors.js";
import type { Channel, ChannelHandlers } from "./channel.js";
import type { Signal } from "./signaling.js";
import * as wire from "./wire.js";

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

/** The parts of simple-peer that its types leave out. */
interface Inside {
  readonly _channel: RTCDataChannel | null;
  readonly _pc: RTCPeerConnection;
}

export function openRtc(options: RtcOptions): RtcAttempt {
  let [local, remote] = ["", ""];
  let ended = false;
  let handlers: ChannelHandlers | undefined;
  let early: Uint8Array[] = [];
  let candidates = 0;

  const peer = new Peer({
    initiator: options.initiator,
    objectMode: true,
    config: { iceServers: [...options.iceServers] },
    ...(options.rtc === undefined ? {} : { wrtc: options.rtc as never }),
  });
  const inside = peer as unknown as Inside;

  const end = (reason: string): void => {
    if (ended) return;
    ended = true;
    peer.destroy();
    if (handlers === undefined) options.onFailed(reason);
    else handlers.closed(reason);
  };

  const channel: Channel = {
    kind: "webrtc",
    messageBytesMax,
    get bufferedBytes() {
      return inside._channel?.bufferedAmount ?? 0;
    },
    listen(next) {
      handlers = next;
      const waiting = early;
      early = [];
      for (const bytes of waiting) next.message(bytes);
    },
    send(message) {
      if (ended || !peer.connected) return false;
      try {
        peer.send(message);
        return true;
      } catch {
        return false; // closing, or its queue is full: the link is given up and built anew
      }
    },
    close() {
      if (ended) return;
      ended = true;
      destroySoon(peer, inside._channel);
    },
  };

  peer.on("error", (error: Error) => end(error.message));
  peer.on("close", () => end("the channel closed"));
  peer.on("data", (data: unknown) => {
    const bytes = asBytes(data);
    if (ended) return;
    if (bytes === undefined) end("a message that is not binary");
    else if (handlers !== undefined) handlers.message(bytes);
    else if (early.length < earlyMax) early.push(bytes);
    else end("too much before the handshake");
  });
  peer.on("signal", (data: unknown) => {
    const signal = encodeSignal(data);
    if (ended || signal === undefined) return;
    if (signal.type === "candidate") candidates++;
    else local = new TextDecoder().decode(signal.payload);
    options.onSignal(signal);
  });
  // A machine without a network interface gathers nothing: no need to wait until the attempt has run out of time.
  peer.on("iceStateChange", (_: unknown, gathering: unknown) => {
    if (gathering === "complete" && candidates === 0 && !local.includes("a=candidate")) {
      end("no candidates");
    }
  });
  peer.on("connect", () => {
    if (ended) return;
    const [selfBinding, peerBinding] = [fingerprintOf(local), fingerprintOf(remote)];
    if (selfBinding === undefined || peerBinding === undefined) {
      end("not exactly one SHA-256 fingerprint");
      return;
    }
    inside._channel?.addEventListener?.("bufferedamountlow", () => handlers?.drained());
    options.onOpen(channel, selfBinding, peerBinding);
  });

  return {
    signal(signal) {
      if (ended) return;
      try {
        if (signal.type !== "candidate") remote = utf8(signal.payload);
        peer.signal(decodeSignal(signal));
      } catch (error) {
        end(`a signal that does not fit: ${String(error)}`);
      }
    },
    destroy() {
      channel.close();
    },
  };
}

/** Messages that may come before the handshake listens: its own first ones. */
const earlyMax = 4;

/** `destroy` right after `send` loses what was sent: a goodbye gets a moment to leave. */
function destroySoon(peer: Peer.Instance, channel: RTCDataChannel | null): void {
  if (channel?.readyState === "open" && channel.bufferedAmount > 0) {
    channel.close(); // delivers what is buffered first, then simple-peer hears of it and destroys itself
    return;
  }
  peer.destroy();
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
