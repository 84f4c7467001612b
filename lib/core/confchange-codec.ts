/**
 * The bytes of configuration changes in entries: raftpb's ConfChange (V1) and ConfChangeV2.
 *
 * Read and written here because the rules of consensus look into them, and the codec lies to the right of the core. The numbers of
 * `type` are etcd's (2 update, 3 add learner); raft-rs has 2 for "add learner" and nothing at 3, so learners cannot be changed through
 * the log of a cluster with raft-rs members. A V2 step's type is always written, also when it is zero, as etcd does. Compare
 * etcd/raft raftpb/raft.proto; tags are explained in codec/raftpb-fields.ts.
 *
 * Not here: what a change does to a configuration (confchange.ts).
 */
import {
  numberSize,
  type Ranges,
  Reader,
  recordSize,
  Writer,
  type Zeros,
} from "../base/protobuf.js";
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

const confChangeTag = {
  id: 0x08,
  type: 0x10,
  nodeId: 0x18, // node_id
  context: 0x22,
} as const;

const confChangeSingleTag = { type: 0x08, nodeId: 0x10 } as const;

const confChangeV2Tag = {
  transition: 0x08,
  changes: 0x12,
  context: 0x1a,
} as const;

/** Enum values in the order of their numbers. */
const confChangeTypes: readonly ConfChangeType[] = [
  "ConfChangeAddNode",
  "ConfChangeRemoveNode",
  "ConfChangeUpdateNode",
  "ConfChangeAddLearnerNode",
];

const confChangeTransitions: readonly ConfChangeTransition[] = [
  "auto",
  "jointImplicit",
  "jointExplicit",
];

/** Steps in one change; more are a `DecodeError`. */
export const changesMax = 1024;

/** The entry's type and data for `change`; the change that only leaves a joint configuration has no data at all. */
export function encodeConfChange(change: ConfChange | ConfChangeV2): Pick<Entry, "type" | "data"> {
  return "nodeId" in change
    ? { type: "EntryConfChange", data: encodeConfChangeV1(change) }
    : { type: "EntryConfChangeV2", data: encodeConfChangeV2(change) };
}

/** @throws DecodeError when `entry.data` is no change of `entry.type`. */
export function decodeConfChange(entry: Pick<Entry, "type" | "data">): ConfChangeV2 {
  return entry.type === "EntryConfChange"
    ? asV2(decodeConfChangeV1(entry.data))
    : decodeConfChangeV2(entry.data);
}

// ── V1 ──

export function encodeConfChangeV1(
  change: ConfChange,
  zeros: Zeros = "omitted",
): Uint8Array<ArrayBuffer> {
  const { id, nodeId, context, unknown } = change;
  const type = confChangeTypes.indexOf(change.type);
  const written = zeros === "written";
  let size = 0;
  if (id !== 0 || written) size += numberSize(confChangeTag.id, id);
  if (type !== 0 || written) size += numberSize(confChangeTag.type, type);
  if (nodeId !== 0 || written) size += numberSize(confChangeTag.nodeId, nodeId);
  if (context.length !== 0) size += recordSize(confChangeTag.context, context.length);
  if (unknown !== undefined) size += unknown.length;

  const writer = new Writer(size);
  if (id !== 0 || written) writer.number(confChangeTag.id, id);
  if (type !== 0 || written) writer.number(confChangeTag.type, type);
  if (nodeId !== 0 || written) writer.number(confChangeTag.nodeId, nodeId);
  if (context.length !== 0) writer.lengthDelimited(confChangeTag.context, context);
  if (unknown !== undefined) writer.raw(unknown);
  return writer.finish();
}

export function decodeConfChangeV1(bytes: Uint8Array): ConfChange {
  const reader = new Reader(bytes);
  let id = 0;
  let type = 0;
  let nodeId = 0;
  let context = noBytes;
  let ranges: Ranges | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === confChangeTag.id) id = reader.varint();
    else if (tag === confChangeTag.type) type = reader.varint();
    else if (tag === confChangeTag.nodeId) nodeId = reader.varint();
    else if (tag === confChangeTag.context) context = reader.lengthDelimited();
    else ranges = reader.keep(tag, ranges);
  }
  return { id, type: changeType(reader, type), nodeId, context, unknown: reader.kept(ranges) };
}

// ── V2 ──

/** Nothing to say (`auto`, no changes, no context) is no bytes at all: the entry that leaves a joint configuration. */
export function encodeConfChangeV2(
  change: ConfChangeV2,
  zeros: Zeros = "omitted",
): Uint8Array<ArrayBuffer> {
  const { changes, context, unknown } = change;
  const transition = confChangeTransitions.indexOf(change.transition);
  const written = zeros === "written";
  let size = 0;
  if (transition !== 0 || written) size += numberSize(confChangeV2Tag.transition, transition);
  for (const single of changes) size += recordSize(confChangeV2Tag.changes, singleSize(single));
  if (context.length !== 0) size += recordSize(confChangeV2Tag.context, context.length);
  if (unknown !== undefined) size += unknown.length;

  const writer = new Writer(size);
  if (transition !== 0 || written) writer.number(confChangeV2Tag.transition, transition);
  for (const single of changes) {
    writer.record(confChangeV2Tag.changes, singleSize(single));
    writer.number(confChangeSingleTag.type, confChangeTypes.indexOf(single.type));
    writer.number(confChangeSingleTag.nodeId, single.nodeId);
  }
  if (context.length !== 0) writer.lengthDelimited(confChangeV2Tag.context, context);
  if (unknown !== undefined) writer.raw(unknown);
  return writer.finish();
}

export function decodeConfChangeV2(bytes: Uint8Array): ConfChangeV2 {
  const reader = new Reader(bytes);
  let transition = 0;
  const changes: ConfChangeSingle[] = [];
  let context = noBytes;
  let ranges: Ranges | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === confChangeV2Tag.transition) transition = reader.varint();
    else if (tag === confChangeV2Tag.changes) {
      if (changes.length === changesMax) throw reader.error(`more than ${changesMax} changes`);
      changes.push(readSingle(reader));
    } else if (tag === confChangeV2Tag.context) context = reader.lengthDelimited();
    else ranges = reader.keep(tag, ranges);
  }
  const known = confChangeTransitions[transition];
  if (known === undefined) throw reader.error(`ConfChangeV2.transition ${transition}`);
  return { transition: known, changes, context, unknown: reader.kept(ranges) };
}

function singleSize({ type, nodeId }: ConfChangeSingle): number {
  return (
    numberSize(confChangeSingleTag.type, confChangeTypes.indexOf(type)) +
    numberSize(confChangeSingleTag.nodeId, nodeId)
  );
}

function readSingle(reader: Reader): ConfChangeSingle {
  let type = 0;
  let nodeId = 0;
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === confChangeSingleTag.type) type = reader.varint();
    else if (tag === confChangeSingleTag.nodeId) nodeId = reader.varint();
    else reader.skip(tag);
  }
  reader.leave(outer);
  return { type: changeType(reader, type), nodeId };
}

function changeType(reader: Reader, type: number): ConfChangeSingle["type"] {
  const known = confChangeTypes[type];
  if (known === undefined) throw reader.error(`ConfChangeType ${type}`);
  return known;
}
