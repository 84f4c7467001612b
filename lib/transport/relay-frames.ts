/**
 * Relay frames: what a relay and its clients say to each other. Published as `logboom/relay-protocol`; both ends use this file.
 *
 *     relay  → client   challenge { connId, challenge }      right after the socket opens
 *     client → relay    join { publicKey, signature, host }  the room's proof; its id is the hash of the key
 *     relay  → client   joined { members }                   who is in the room already
 *     relay  → client   arrived { connId } · left { connId }
 *     client → relay    send { to, body }                    to one member, or to all (`everybody`)
 *     relay  → client   envelope { from, body }
 *     client → relay    ping      relay → client   pong      a page cannot see WebSocket's own pings
 *
 * A connId names a connection, nothing more: it is the relay's word and proves nothing. Bodies are sealed; the relay neither
 * reads nor limits them but by size. Compare Tailscale's DERP, whose relay also forwards what it cannot read.
 */
import { DecodeError } from "../base/errors.js";
import * as wire from "../codec/wire.js";

/** One message on the socket, header included. */
export const relayFrameBytesMax: number = 16 * 1024;
export const challengeBytes = 32;
export const roomIdBytes = 16;
/** In `send.to`: every other member of the room. */
export const everybody = 0;

/** Why a relay closed a socket (WebSocket close codes). */
export const relayClose = {
  badFrame: 4000,
  badProof: 4001,
  joinTimeout: 4002,
  roomFull: 4003,
  flood: 4004,
} as const;

export type ToClient =
  | { readonly type: "challenge"; readonly connId: number; readonly challenge: Uint8Array }
  | { readonly type: "joined"; readonly members: readonly number[] }
  | { readonly type: "arrived"; readonly connId: number }
  | { readonly type: "left"; readonly connId: number }
  | { readonly type: "envelope"; readonly from: number; readonly body: Uint8Array }
  | { readonly type: "pong" };

export type ToRelay =
  | {
      readonly type: "join";
      readonly publicKey: Uint8Array;
      readonly signature: Uint8Array;
      /** Host (and port) the client dialled; signed, so that no relay can pass the proof on to another. */
      readonly host: string;
    }
  | { readonly type: "send"; readonly to: number; readonly body: Uint8Array }
  | { readonly type: "ping" };

const version = 1;
const tag = {
  challenge: 1,
  joined: 2,
  arrived: 3,
  left: 4,
  envelope: 5,
  pong: 6,
  join: 17,
  send: 18,
  ping: 19,
} as const;

/** What a joining client signs with the room's relay key. */
export function joinProof(proof: {
  readonly host: string;
  readonly roomId: Uint8Array;
  readonly connId: number;
  readonly challenge: Uint8Array;
}): Uint8Array {
  return wire.message(
    wire.text("logboom/join/v1"),
    wire.text(proof.host),
    proof.roomId,
    wire.u32(proof.connId),
    proof.challenge,
  );
}

export function encodeToClient(frame: ToClient): Uint8Array {
  switch (frame.type) {
    case "challenge":
      return wire.message(
        wire.u8(tag.challenge),
        wire.u8(version),
        wire.u32(frame.connId),
        frame.challenge,
      );
    case "joined":
      return wire.message(
        wire.u8(tag.joined),
        wire.u16(frame.members.length),
        ...frame.members.map(wire.u32),
      );
    case "arrived":
    case "left":
      return wire.message(wire.u8(tag[frame.type]), wire.u32(frame.connId));
    case "envelope":
      return wire.message(wire.u8(tag.envelope), wire.u32(frame.from), frame.body);
    case "pong":
      return wire.u8(tag.pong);
  }
}

/** @throws DecodeError */
export function decodeToClient(bytes: Uint8Array): ToClient {
  const reader = readerOf(bytes);
  const kind = reader.u8();
  switch (kind) {
    case tag.challenge: {
      const spoken = reader.u8();
      if (spoken !== version)
        throw new DecodeError(`relay speaks version ${spoken}, not ${version}`);
      const connId = reader.u32();
      return ended(reader, { type: "challenge", connId, challenge: reader.bytes(challengeBytes) });
    }
    case tag.joined: {
      const count = reader.u16();
      if (reader.remaining !== count * 4) throw new DecodeError(`${count} members do not fit`);
      return { type: "joined", members: Array.from({ length: count }, () => reader.u32()) };
    }
    case tag.arrived:
      return ended(reader, { type: "arrived", connId: reader.u32() });
    case tag.left:
      return ended(reader, { type: "left", connId: reader.u32() });
    case tag.envelope:
      return { type: "envelope", from: reader.u32(), body: reader.rest() };
    case tag.pong:
      return ended(reader, { type: "pong" });
    default:
      throw new DecodeError(`no frame to a client has tag ${kind}`);
  }
}

export function encodeToRelay(frame: ToRelay): Uint8Array {
  switch (frame.type) {
    case "join":
      return wire.message(
        wire.u8(tag.join),
        frame.publicKey,
        frame.signature,
        wire.text(frame.host),
      );
    case "send":
      return wire.message(wire.u8(tag.send), wire.u32(frame.to), frame.body);
    case "ping":
      return wire.u8(tag.ping);
  }
}

/** @throws DecodeError */
export function decodeToRelay(bytes: Uint8Array): ToRelay {
  const reader = readerOf(bytes);
  const kind = reader.u8();
  switch (kind) {
    case tag.join: {
      const [publicKey, signature] = [reader.bytes(32), reader.bytes(64)];
      return ended(reader, { type: "join", publicKey, signature, host: reader.text() });
    }
    case tag.send:
      return { type: "send", to: reader.u32(), body: reader.rest() };
    case tag.ping:
      return ended(reader, { type: "ping" });
    default:
      throw new DecodeError(`no frame to a relay has tag ${kind}`);
  }
}

function readerOf(bytes: Uint8Array): wire.WireReader {
  if (bytes.length > relayFrameBytesMax) {
    throw new DecodeError(`frame of ${bytes.length} bytes, at most ${relayFrameBytesMax}`);
  }
  return new wire.WireReader(bytes);
}

function ended<T>(reader: wire.WireReader, value: T): T {
  reader.end();
  return value;
}
