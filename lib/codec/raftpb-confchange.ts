/**
 * raftpb's configuration changes, V1 and V2: what the data of EntryConfChange and EntryConfChangeV2 holds.
 *
 * The numbers of `type` are etcd's (2 update, 3 add learner); raft-rs has 2 for "add learner" and nothing at 3, so learners cannot
 * be changed through the log of a cluster with raft-rs members. A change's own type is always written, also when it is zero, as etcd does.
 *
 * Not here: what a change does to a configuration (core/confchange.ts).
 */
import type { ConfChange, ConfChangeSingle, ConfChangeV2 } from "../core/types.js";
import { noBytes } from "../core/types.js";
import { numberSize, type Ranges, Reader, recordSize, Writer } from "./protobuf.js";
import {
  confChangeSingleTag,
  confChangeTag,
  confChangeTransitions,
  confChangeTypes,
  confChangeV2Tag,
} from "./raftpb-fields.js";
import type { Zeros } from "./raftpb-log.js";

// ── ConfChange ──

export function encodeConfChange(
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

export function decodeConfChange(bytes: Uint8Array): ConfChange {
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

// ── ConfChangeV2 ──

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
    else if (tag === confChangeV2Tag.changes) changes.push(readSingle(reader));
    else if (tag === confChangeV2Tag.context) context = reader.lengthDelimited();
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
