/**
 * Envelopes: what peers tell each other before they have a link. Sealed with the room's key before they leave.
 *
 *     version ‖ type ‖ from ‖ to (0: all) ‖ boot counter ‖ boot nonce ‖ …
 *       hello     wantsReply
 *       bye
 *       offer, answer, candidate, refuse
 *                 receiver's boot nonce ‖ session ‖ sequence ‖ link ‖ payload
 *
 * The receiver's boot nonce in every envelope of a session makes a recording useless against a peer that was opened anew.
 */
import { DecodeError } from "../base/errors.js";
import * as wire from "../codec/wire.js";
import type { NodeId } from "../core/types.js";
import type { Boot } from "./channel.js";

/** An SDP for one data channel is about 600 bytes. */
export const payloadBytesMax: number = 12 * 1024;
export const sessionBytes = 16;
export const bootNonceBytes = 16;

/** Kinds of link that are agreed upon by signaling. */
export type DialledKind = "webrtc" | "broadcast";

export interface Sender {
  readonly from: NodeId;
  readonly boot: Boot;
  /** 0: everybody. */
  readonly to: NodeId;
}

export interface SessionEnvelope extends Sender {
  readonly type: "offer" | "answer" | "candidate" | "refuse";
  readonly toBootNonce: Uint8Array;
  readonly session: Uint8Array;
  /** Rises with every envelope of a sender in a session, from 1. */
  readonly sequence: number;
  readonly link: DialledKind;
  readonly payload: Uint8Array;
}

export type Envelope =
  | (Sender & { readonly type: "hello"; readonly wantsReply: boolean })
  | (Sender & { readonly type: "bye" })
  | SessionEnvelope;

const version = 1;
const types = ["hello", "bye", "offer", "answer", "candidate", "refuse"] as const;
const links = ["webrtc", "broadcast"] as const;

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const head = wire.message(
    wire.u8(version),
    wire.u8(types.indexOf(envelope.type)),
    wire.u53(envelope.from),
    wire.u53(envelope.to),
    wire.u53(envelope.boot.counter),
    envelope.boot.nonce,
  );
  switch (envelope.type) {
    case "hello":
      return wire.message(head, wire.u8(envelope.wantsReply ? 1 : 0));
    case "bye":
      return head;
    default:
      return wire.message(
        head,
        envelope.toBootNonce,
        envelope.session,
        wire.u32(envelope.sequence),
        wire.u8(links.indexOf(envelope.link)),
        envelope.payload,
      );
  }
}

/** @throws DecodeError */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const reader = new wire.WireReader(bytes);
  const spoken = reader.u8();
  if (spoken !== version) throw new DecodeError(`envelope of version ${spoken}, not ${version}`);
  const type = oneOf(types, reader.u8());
  const from = reader.u53();
  if (from === 0) throw new DecodeError("an envelope from nobody");
  const to = reader.u53();
  const boot = { counter: reader.u53(), nonce: reader.bytes(bootNonceBytes) };
  const sender: Sender = { from, to, boot };
  switch (type) {
    case "hello": {
      const wantsReply = oneOf([false, true], reader.u8());
      reader.end();
      return { ...sender, type, wantsReply };
    }
    case "bye":
      reader.end();
      return { ...sender, type };
    default: {
      const toBootNonce = reader.bytes(bootNonceBytes);
      const session = reader.bytes(sessionBytes);
      const sequence = reader.u32();
      const link = oneOf(links, reader.u8());
      const payload = reader.rest();
      if (payload.length > payloadBytesMax) {
        throw new DecodeError(`payload of ${payload.length} bytes, at most ${payloadBytesMax}`);
      }
      return { ...sender, type, toBootNonce, session, sequence, link, payload };
    }
  }
}

function oneOf<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new DecodeError(`${index} is none of ${values.join(", ")}`);
  return value;
}
