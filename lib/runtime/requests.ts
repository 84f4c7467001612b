/**
 * Requests: what one node asks of another that leads, and what that answers. A request is asked once and never repeated by us.
 *
 *     request   1 ‖ id ‖ kind ‖ …          propose: count, then each command behind its length
 *                                          change: what the configuration index must be (0: anything) ‖ the change, raftpb
 *                                          transfer: to whom (0: the best)
 *     accepted  2 ‖ id ‖ index ‖ term      where the (first) entry stands in the log
 *     state     4 ‖ check ‖ index ‖ length ‖ CRC-32C         a replica's state, see state-check.ts
 *     diverged  5 ‖ index                                    the leader to who is in the minority
 *     about     6 ‖ wall clock ‖ version       every member to the voters: its time, and how far its machine's code goes
 *     check     7                              a leader that differs to its successor: compare states once you lead
 *     refused   3 ‖ id ‖ code ‖ reason ‖ what a person may read
 */
import { DecodeError, type ErrorCode, LogboomError } from "../base/errors.js";
import * as wire from "../codec/wire.js";
import { decodeConfChangeV2, encodeConfChangeV2 } from "../core/confchange-codec.js";
import type { ConfChangeV2, Index, NodeId, Term } from "../core/types.js";
import type { StateHash } from "./state-check.js";

export type Request =
  | { readonly kind: "propose"; readonly commands: readonly Uint8Array[] }
  | { readonly kind: "change"; readonly change: ConfChangeV2; readonly ifIndex: Index }
  | { readonly kind: "transfer"; readonly to: NodeId };

/** Where what was asked for stands in the log; both 0 for a transfer. */
export interface Placed {
  readonly index: Index;
  readonly term: Term;
}

export type RequestFrame =
  | { readonly type: "request"; readonly id: number; readonly request: Request }
  | { readonly type: "accepted"; readonly id: number; readonly placed: Placed }
  | { readonly type: "refused"; readonly id: number; readonly error: LogboomError }
  | { readonly type: "state"; readonly id: number; readonly hash: StateHash }
  | { readonly type: "diverged"; readonly id: Index }
  | { readonly type: "about"; readonly wall: number; readonly supports: number }
  | { readonly type: "check" };

const kinds = ["propose", "change", "transfer"] as const;
/** Codes a refusal may carry; anything else is a peer of a later version, and reads as PROPOSAL_DROPPED. */
const codes: readonly ErrorCode[] = [
  "PROPOSAL_DROPPED",
  "NOT_LEADER",
  "TOO_LARGE",
  "TOO_MUCH_LOG",
  "HALTED",
  "BAD_INPUT",
];

export function encodeRequestFrame(frame: RequestFrame): Uint8Array {
  if (frame.type === "about") {
    return wire.message(wire.u8(6), wire.u53(frame.wall), wire.u53(frame.supports));
  }
  if (frame.type === "check") return wire.u8(7);
  const { id } = frame;
  const head = (type: number) => wire.message(wire.u8(type), wire.u53(id));
  if (frame.type === "request") return wire.message(head(1), encodeRequest(frame.request));
  if (frame.type === "accepted") {
    return wire.message(head(2), wire.u53(frame.placed.index), wire.u53(frame.placed.term));
  }
  if (frame.type === "diverged") return head(5);
  if (frame.type === "state") {
    const { index, length, crc } = frame.hash;
    return wire.message(head(4), wire.u53(index), wire.u53(length), wire.u32(crc));
  }
  const { code, reason, message } = frame.error;
  return wire.message(head(3), wire.text(code), wire.text(reason ?? ""), wire.text(cut(message)));
}

function encodeRequest(request: Request): Uint8Array {
  const kind = wire.u8(kinds.indexOf(request.kind));
  switch (request.kind) {
    case "propose":
      return wire.message(
        kind,
        wire.u16(request.commands.length),
        ...request.commands.flatMap((command) => [wire.u32(command.length), command]),
      );
    case "change":
      return wire.message(kind, wire.u53(request.ifIndex), encodeConfChangeV2(request.change));
    case "transfer":
      return wire.message(kind, wire.u53(request.to));
  }
}

/** @throws DecodeError */
export function decodeRequestFrame(bytes: Uint8Array): RequestFrame {
  const reader = new wire.WireReader(bytes);
  const type = reader.u8();
  if (type === 7) {
    reader.end();
    return { type: "check" };
  }
  const id = reader.u53();
  if (type === 6) {
    const frame = { type: "about", wall: id, supports: reader.u53() } as const;
    reader.end();
    return frame;
  }
  if (type === 1) return { type: "request", id, request: decodeRequest(reader) };
  if (type === 2) {
    const placed = { index: reader.u53(), term: reader.u53() };
    reader.end();
    return { type: "accepted", id, placed };
  }
  if (type === 4) {
    const hash = { id, index: reader.u53(), length: reader.u53(), crc: reader.u32() };
    reader.end();
    return { type: "state", id, hash };
  }
  if (type === 5) {
    reader.end();
    return { type: "diverged", id };
  }
  if (type !== 3) throw new DecodeError(`a request frame of type ${type}`);
  const [code, reason, message] = [reader.text(), reader.text(), reader.text()];
  reader.end();
  const known = codes.find((one) => one === code) ?? "PROPOSAL_DROPPED";
  return { type: "refused", id, error: new LogboomError(known, message, { reason }) };
}

function decodeRequest(reader: wire.WireReader): Request {
  const kind = kinds[reader.u8()];
  switch (kind) {
    case "propose": {
      const commands: Uint8Array[] = [];
      for (let left = reader.u16(); left > 0; left--) commands.push(reader.bytes(reader.u32()));
      reader.end();
      return { kind, commands };
    }
    case "change":
      return { kind, ifIndex: reader.u53(), change: decodeConfChangeV2(reader.rest()) };
    case "transfer": {
      const to = reader.u53();
      reader.end();
      return { kind, to };
    }
    default:
      throw new DecodeError("a request of an unknown kind");
  }
}

/** As much of `text` as fits a field of 255 bytes. */
function cut(text: string): string {
  let short = text.slice(0, 250);
  while (new TextEncoder().encode(short).length > 255) short = short.slice(0, -1);
  return short;
}
