/** Frames: the first byte says whose the rest is: Raft's, the room's, or another part's of the runtime. */
import { DecodeError } from "../base/errors.js";

/** raftpb messages, `codec/raftpb-batch`. */
export const raftFrame = 1;
/** What peers of a room tell each other beside Raft: who they are, commands on their way to the leader. */
export const controlFrame = 2;
/** Requests to the leader and its answers, `requests.ts`. */
export const requestFrame = 3;
/** Snapshot bodies in chunks, `transfer-frames.ts`. */
export const transferFrame = 4;

export type FrameKind =
  | typeof raftFrame
  | typeof controlFrame
  | typeof requestFrame
  | typeof transferFrame;

export function packFrame(kind: FrameKind, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(body.length + 1);
  frame[0] = kind;
  frame.set(body, 1);
  return frame;
}

/** @throws DecodeError for an empty frame or a kind of a later version. */
export function unpackFrame(frame: Uint8Array): { kind: FrameKind; body: Uint8Array } {
  const kind = frame[0];
  if (kind === undefined || kind < raftFrame || kind > transferFrame) {
    throw new DecodeError(`a frame begins with its kind, 1 to 4, got ${String(kind)}`);
  }
  return { kind: kind as FrameKind, body: frame.subarray(1) };
}
