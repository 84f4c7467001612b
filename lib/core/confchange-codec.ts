/**
 * The bytes of configuration changes in entries: etcd's protobuf, read and written here because the rules of consensus look into
 * them and the codec lies to the right of the core. (`codec/raftpb-confchange.ts` reads and writes the same; a test holds them together.)
 *
 * Reading accepts absent and repeated fields, skips unknown ones, and throws only `DecodeError`.
 * Compare etcd/raft raftpb/raft.proto: ConfChange { id=1 type=2 node_id=3 context=4 }, ConfChangeV2 { transition=1 changes=2 context=3 },
 * ConfChangeSingle { type=1 node_id=2 }.
 */
import { DecodeError } from "../base/errors.js";
import { asV2 } from "./confchange.js";
import {
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeTransition,
  type ConfChangeType,
  type ConfChangeV2,
  type Entry,
  noBytes,
} from "./types.js";

const changeTypes: readonly ConfChangeType[] = [
  "ConfChangeAddNode",
  "ConfChangeRemoveNode",
  "ConfChangeUpdateNode",
  "ConfChangeAddLearnerNode",
];
const transitions: readonly ConfChangeTransition[] = ["auto", "jointImplicit", "jointExplicit"];

/** Steps in one change; more is refused. */
const changesMax = 1024;

/** The entry's type and data for `change`; the change that only leaves a joint configuration has no data at all. */
export function encodeConfChange(change: ConfChange | ConfChangeV2): Pick<Entry, "type" | "data"> {
  return "nodeId" in change
    ? { type: "EntryConfChange", data: encodeV1(change) }
    : { type: "EntryConfChangeV2", data: encodeV2(change) };
}

/** @throws DecodeError when `entry.data` is no change of `entry.type`. */
export function decodeConfChange(entry: Pick<Entry, "type" | "data">): ConfChangeV2 {
  return entry.type === "EntryConfChange" ? asV2(decodeV1(entry.data)) : decodeV2(entry.data);
}

function encodeV1(change: ConfChange): Uint8Array {
  const out: number[] = [];
  putNumber(out, 1, change.id);
  putNumber(out, 2, changeTypes.indexOf(change.type));
  putNumber(out, 3, change.nodeId);
  putBytes(out, 4, change.context);
  for (const byte of change.unknown ?? noBytes) out.push(byte);
  return Uint8Array.from(out);
}

function encodeV2(change: ConfChangeV2): Uint8Array {
  const out: number[] = [];
  putNumber(out, 1, transitions.indexOf(change.transition));
  for (const single of change.changes) {
    // Written also where it is 0, as etcd does.
    const inner = [1 << 3, changeTypes.indexOf(single.type), 2 << 3];
    putVarint(inner, single.nodeId);
    putVarint(out, (2 << 3) | 2);
    putVarint(out, inner.length);
    out.push(...inner);
  }
  putBytes(out, 3, change.context);
  for (const byte of change.unknown ?? noBytes) out.push(byte);
  return Uint8Array.from(out);
}

function putVarint(out: number[], value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  out.push(rest);
}

function putNumber(out: number[], field: number, value: number): void {
  if (value === 0) return;
  putVarint(out, field << 3);
  putVarint(out, value);
}

function putBytes(out: number[], field: number, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  putVarint(out, (field << 3) | 2);
  putVarint(out, bytes.length);
  for (const byte of bytes) out.push(byte);
}

function decodeV1(data: Uint8Array): ConfChange {
  let id = 0;
  let type = 0;
  let nodeId = 0;
  let context = noBytes;
  const unknown = eachField(data, (field, value) => {
    if (field === 1 && typeof value === "number") id = value;
    else if (field === 2 && typeof value === "number") type = value;
    else if (field === 3 && typeof value === "number") nodeId = value;
    else if (field === 4 && typeof value !== "number") context = value;
    else return false;
    return true;
  });
  return { id, type: changeType(type), nodeId, context, unknown };
}

function decodeV2(data: Uint8Array): ConfChangeV2 {
  let transition = 0;
  const changes: ConfChangeSingle[] = [];
  let context = noBytes;
  const unknown = eachField(data, (field, value) => {
    if (field === 1 && typeof value === "number") transition = value;
    else if (field === 2 && typeof value !== "number") changes.push(decodeSingle(value));
    else if (field === 3 && typeof value !== "number") context = value;
    else return false;
    if (changes.length > changesMax) throw new DecodeError(`more than ${changesMax} changes`);
    return true;
  });
  const named = transitions[transition];
  if (named === undefined) throw new DecodeError(`unknown transition ${transition}`);
  return { transition: named, changes, context, unknown };
}

function decodeSingle(data: Uint8Array): ConfChangeSingle {
  let type = 0;
  let nodeId = 0;
  eachField(data, (field, value) => {
    if (field === 1 && typeof value === "number") type = value;
    else if (field === 2 && typeof value === "number") nodeId = value;
    else return false;
    return true;
  });
  return { type: changeType(type), nodeId };
}

function changeType(number: number): ConfChangeType {
  const type = changeTypes[number];
  if (type === undefined) throw new DecodeError(`unknown kind of configuration change ${number}`);
  return type;
}

/** Calls `take` for each field; answers the bytes of those it did not take. */
function eachField(
  data: Uint8Array,
  take: (field: number, value: number | Uint8Array) => boolean,
): Uint8Array | undefined {
  const reader = new Reader(data);
  let unknown: number[] | undefined;
  while (!reader.done) {
    const start = reader.at;
    const key = reader.varint();
    const field = Math.floor(key / 8);
    if (field === 0) throw new DecodeError("field number 0");
    const value = reader.value(key % 8);
    if (value === undefined || !take(field, value)) {
      unknown ??= [];
      for (const byte of data.subarray(start, reader.at)) unknown.push(byte);
    }
  }
  return unknown === undefined ? undefined : Uint8Array.from(unknown);
}

class Reader {
  readonly #data: Uint8Array;
  at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get done(): boolean {
    return this.at >= this.#data.length;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#data[this.at++];
      if (byte === undefined) throw new DecodeError("a number runs past the end");
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) {
        if (!Number.isSafeInteger(value)) throw new DecodeError("a number above 2^53-1");
        return value;
      }
    }
    throw new DecodeError("a number of more than 10 bytes");
  }

  /** A number or bytes; undefined for the fixed-width kinds, which are skipped. */
  value(wireType: number): number | Uint8Array | undefined {
    if (wireType === 0) return this.varint();
    if (wireType === 2) return this.#take(this.varint());
    if (wireType === 1) this.#take(8);
    else if (wireType === 5) this.#take(4);
    else throw new DecodeError(`wire type ${wireType}`);
    return undefined;
  }

  #take(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.#data.length) throw new DecodeError("bytes run past the end");
    const bytes = this.#data.subarray(this.at, end);
    this.at = end;
    return bytes;
  }
}
