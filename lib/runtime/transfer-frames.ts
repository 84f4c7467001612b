/**
 * Transfer frames: a snapshot's body on its way to a follower.
 *
 *     offer    1 ‖ id ‖ MsgSnap without a body, raftpb       leader → follower; repeated until it is answered
 *     chunk    2 ‖ id ‖ offset ‖ bytes
 *     end      3 ‖ id ‖ length ‖ CRC-32C of the whole body
 *     wanted   4 ‖ id ‖ offset                               follower → leader: go on from here (also after a gap)
 *     stored   5 ‖ id ‖ offset                               so much is in the follower's store
 *     done     6 ‖ id                                        it has all of it, or does not need it
 */
import { DecodeError } from "../base/errors.js";
import { decodeMessages, encodeMessages } from "../codec/raftpb.js";
import * as wire from "../codec/wire.js";
import type { Message } from "../core/types.js";

export type TransferFrame =
  | { readonly type: "offer"; readonly id: number; readonly message: Message }
  | {
      readonly type: "chunk";
      readonly id: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  | { readonly type: "end"; readonly id: number; readonly length: number; readonly crc: number }
  | { readonly type: "wanted" | "stored"; readonly id: number; readonly offset: number }
  | { readonly type: "done"; readonly id: number };

const types = ["", "offer", "chunk", "end", "wanted", "stored", "done"] as const;

export function encodeTransferFrame(frame: TransferFrame): Uint8Array {
  const head = [wire.u8(types.indexOf(frame.type)), wire.u53(frame.id)];
  switch (frame.type) {
    case "offer":
      return wire.message(...head, encodeMessages([frame.message]));
    case "chunk":
      return wire.message(...head, wire.u53(frame.offset), frame.bytes);
    case "end":
      return wire.message(...head, wire.u53(frame.length), wire.u32(frame.crc));
    case "wanted":
    case "stored":
      return wire.message(...head, wire.u53(frame.offset));
    case "done":
      return wire.message(...head);
  }
}

/** @throws DecodeError */
export function decodeTransferFrame(bytes: Uint8Array): TransferFrame {
  const reader = new wire.WireReader(bytes);
  const type = types[reader.u8()];
  const id = reader.u53();
  switch (type) {
    case "offer": {
      const [message, ...more] = decodeMessages(reader.rest());
      if (message?.type !== "MsgSnap" || message.snapshot === undefined || more.length > 0) {
        throw new DecodeError("an offer holds one MsgSnap");
      }
      return { type, id, message };
    }
    case "chunk":
      return { type, id, offset: reader.u53(), bytes: reader.rest() };
    case "end": {
      const frame = { type, id, length: reader.u53(), crc: reader.u32() } as const;
      reader.end();
      return frame;
    }
    case "wanted":
    case "stored": {
      const frame = { type, id, offset: reader.u53() } as const;
      reader.end();
      return frame;
    }
    case "done":
      reader.end();
      return { type, id };
    default:
      throw new DecodeError("a transfer frame of an unknown type");
  }
}
