/** Frames: the first byte says whose the rest is, Raft's or the room's. */
import { DecodeError } from "../base/errors.js";

/** raftpb messages, `codec/raftpb-batch`. */
export const raftFrame = 1;
/** What peers tell each other beside Raft: who they are, commands on their way to the leader. */
export const controlFrame = 2;

export type FrameKind = typeof raftFrame | typeof controlFrame;

export function packFrame(kind: FrameKind, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(body.length + 1);
  frame[0] = kind;
  frame.set(body, 1);
  return frame;
}

/** @throws DecodeError for an empty frame or a kind of a later version. */
export function unpackFrame(frame: Uint8Array): { kind: FrameKind; body: Uint8Array } {
  const kind = frame[0];
  if (kind !== raftFrame && kind !== controlFrame) {
    throw new DecodeError(`a frame begins with its kind, 1 or 2, got ${String(kind)}`);
  }
  return { kind, body: frame.subarray(1) };
}
