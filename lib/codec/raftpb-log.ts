/**
 * raftpb's durable records: Entry, HardState, ConfState, SnapshotMetadata, Snapshot.
 *
 * HardState and `autoLeave` are written in full whatever `zeros` says, as etcd/raft 3.7 does too. Each has `encodeX` and `decodeX`, and the halves they are made of (`xSize` + `writeX`, `readX`) for callers that put one
 * record inside another. Decoders take what every generation of etcd and raft-rs writes: absent fields, zeros, ids packed or
 * not, later fields; of a field that comes twice the last counts, records merge and lists join. Bytes in the result are
 * views of the input.
 *
 * Bounds: at most `confStateIdsMax` ids per list; 256 B per number or field read.  Not here: messages (raftpb.ts).
 */

import {
  numberSize,
  type Ranges,
  Reader,
  recordSize,
  Writer,
  type Zeros,
} from "../base/protobuf.js";
import type {
  ConfState,
  Entry,
  HardState,
  NodeId,
  Snapshot,
  SnapshotMetadata,
} from "../core/types.js";
import { noBytes } from "../core/types.js";
import {
  confStateTag,
  entryTag,
  entryTypes,
  hardStateTag,
  snapshotMetadataTag,
  snapshotTag,
} from "./raftpb-fields.js";

/** More ids in one list of a ConfState are a `DecodeError`. */
export const confStateIdsMax = 4096;

// ── Entry ──

export function encodeEntry(entry: Entry, zeros: Zeros = "omitted"): Uint8Array<ArrayBuffer> {
  const writer = new Writer(entrySize(entry, zeros));
  writeEntry(writer, entry, zeros);
  return writer.finish();
}

export function decodeEntry(bytes: Uint8Array): Entry {
  return readEntry(new Reader(bytes));
}

export function entrySize(entry: Entry, zeros: Zeros): number {
  const { term, index, data, unknown } = entry;
  let size = entry.type !== "EntryNormal" || zeros === "written" ? 2 : 0;
  if (term !== 0 || zeros === "written") size += numberSize(entryTag.term, term);
  if (index !== 0 || zeros === "written") size += numberSize(entryTag.index, index);
  if (data.length !== 0) size += recordSize(entryTag.data, data.length);
  if (unknown !== undefined) size += unknown.length;
  return size;
}

export function writeEntry(writer: Writer, entry: Entry, zeros: Zeros): void {
  const { type, term, index, data, unknown } = entry;
  if (type !== "EntryNormal" || zeros === "written") {
    writer.number(entryTag.type, entryTypes.indexOf(type));
  }
  if (term !== 0 || zeros === "written") writer.number(entryTag.term, term);
  if (index !== 0 || zeros === "written") writer.number(entryTag.index, index);
  if (data.length !== 0) writer.lengthDelimited(entryTag.data, data);
  if (unknown !== undefined) writer.raw(unknown);
}

/** Reads to the end of the record entered. */
export function readEntry(reader: Reader): Entry {
  let type = 0;
  let term = 0;
  let index = 0;
  let data = noBytes;
  let ranges: Ranges | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case entryTag.type:
        type = reader.varint();
        break;
      case entryTag.term:
        term = reader.varint();
        break;
      case entryTag.index:
        index = reader.varint();
        break;
      case entryTag.data:
        data = reader.lengthDelimited();
        break;
      default:
        ranges = reader.keep(tag, ranges);
    }
  }
  const known = entryTypes[type];
  if (known === undefined) throw reader.error(`Entry.type ${type}`);
  return { term, index, type: known, data, unknown: reader.kept(ranges) };
}

// ── HardState ──

export function encodeHardState(state: HardState): Uint8Array<ArrayBuffer> {
  const { term, vote, commit } = state;
  const writer = new Writer(
    numberSize(hardStateTag.term, term) +
      numberSize(hardStateTag.vote, vote) +
      numberSize(hardStateTag.commit, commit),
  );
  writer.number(hardStateTag.term, term);
  writer.number(hardStateTag.vote, vote);
  writer.number(hardStateTag.commit, commit);
  return writer.finish();
}

export function decodeHardState(bytes: Uint8Array): HardState {
  const reader = new Reader(bytes);
  let term = 0;
  let vote = 0;
  let commit = 0;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === hardStateTag.term) term = reader.varint();
    else if (tag === hardStateTag.vote) vote = reader.varint();
    else if (tag === hardStateTag.commit) commit = reader.varint();
    else reader.skip(tag);
  }
  return { term, vote, commit };
}

// ── ConfState ──

export function encodeConfState(state: ConfState): Uint8Array<ArrayBuffer> {
  const writer = new Writer(confStateSize(state));
  writeConfState(writer, state);
  return writer.finish();
}

export function decodeConfState(bytes: Uint8Array): ConfState {
  return readConfState(new Reader(bytes), emptyDraft());
}

export function confStateSize(state: ConfState): number {
  return (
    idsSize(confStateTag.voters, state.voters) +
    idsSize(confStateTag.learners, state.learners) +
    idsSize(confStateTag.votersOutgoing, state.votersOutgoing) +
    idsSize(confStateTag.learnersNext, state.learnersNext) +
    numberSize(confStateTag.autoLeave, 0)
  );
}

export function writeConfState(writer: Writer, state: ConfState): void {
  for (const id of state.voters) writer.number(confStateTag.voters, id);
  for (const id of state.learners) writer.number(confStateTag.learners, id);
  for (const id of state.votersOutgoing) writer.number(confStateTag.votersOutgoing, id);
  for (const id of state.learnersNext) writer.number(confStateTag.learnersNext, id);
  writer.number(confStateTag.autoLeave, state.autoLeave ? 1 : 0);
}

function idsSize(tag: number, ids: readonly NodeId[]): number {
  let size = 0;
  for (const id of ids) size += numberSize(tag, id);
  return size;
}

export interface ConfStateDraft {
  readonly voters: NodeId[];
  readonly learners: NodeId[];
  readonly votersOutgoing: NodeId[];
  readonly learnersNext: NodeId[];
  autoLeave: boolean;
}

function emptyDraft(): ConfStateDraft {
  return { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

/** Adds to `draft` what the record entered holds. The ids stay in the order they came: raft-rs does not sort. */
function readConfState(reader: Reader, draft: ConfStateDraft): ConfStateDraft {
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === confStateTag.voters) addId(reader, draft.voters);
    else if (tag === confStateTag.learners) addId(reader, draft.learners);
    else if (tag === confStateTag.votersOutgoing) addId(reader, draft.votersOutgoing);
    else if (tag === confStateTag.learnersNext) addId(reader, draft.learnersNext);
    else if (tag === confStateTag.autoLeave) draft.autoLeave = reader.bool();
    else if (tag === confStateTag.packedVoters) addPacked(reader, draft.voters);
    else if (tag === confStateTag.packedLearners) addPacked(reader, draft.learners);
    else if (tag === confStateTag.packedVotersOutgoing) addPacked(reader, draft.votersOutgoing);
    else if (tag === confStateTag.packedLearnersNext) addPacked(reader, draft.learnersNext);
    else reader.skip(tag);
  }
  return draft;
}

function addId(reader: Reader, ids: NodeId[]): void {
  if (ids.length === confStateIdsMax) throw reader.error(`more than ${confStateIdsMax} ids`);
  ids.push(reader.varint());
}

function addPacked(reader: Reader, ids: NodeId[]): void {
  const outer = reader.enter();
  while (reader.more()) addId(reader, ids);
  reader.leave(outer);
}

// ── SnapshotMetadata ──

export function encodeSnapshotMetadata(
  metadata: SnapshotMetadata,
  zeros: Zeros = "omitted",
): Uint8Array<ArrayBuffer> {
  const writer = new Writer(snapshotMetadataSize(metadata, zeros));
  writeSnapshotMetadata(writer, metadata, zeros);
  return writer.finish();
}

export function decodeSnapshotMetadata(bytes: Uint8Array): SnapshotMetadata {
  return readSnapshotMetadata(new Reader(bytes), emptyMetadataDraft());
}

function snapshotMetadataSize({ index, term, confState }: SnapshotMetadata, zeros: Zeros): number {
  let size = recordSize(snapshotMetadataTag.confState, confStateSize(confState));
  if (index !== 0 || zeros === "written") size += numberSize(snapshotMetadataTag.index, index);
  if (term !== 0 || zeros === "written") size += numberSize(snapshotMetadataTag.term, term);
  return size;
}

function writeSnapshotMetadata(
  writer: Writer,
  { index, term, confState }: SnapshotMetadata,
  zeros: Zeros,
): void {
  writer.record(snapshotMetadataTag.confState, confStateSize(confState));
  writeConfState(writer, confState);
  if (index !== 0 || zeros === "written") writer.number(snapshotMetadataTag.index, index);
  if (term !== 0 || zeros === "written") writer.number(snapshotMetadataTag.term, term);
}

export interface SnapshotMetadataDraft {
  index: number;
  term: number;
  readonly confState: ConfStateDraft;
}

function emptyMetadataDraft(): SnapshotMetadataDraft {
  return { index: 0, term: 0, confState: emptyDraft() };
}

function readSnapshotMetadata(reader: Reader, draft: SnapshotMetadataDraft): SnapshotMetadataDraft {
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === snapshotMetadataTag.index) draft.index = reader.varint();
    else if (tag === snapshotMetadataTag.term) draft.term = reader.varint();
    else if (tag === snapshotMetadataTag.confState) {
      const outer = reader.enter();
      readConfState(reader, draft.confState);
      reader.leave(outer);
    } else reader.skip(tag);
  }
  return draft;
}

// ── Snapshot ──

export function encodeSnapshot(
  snapshot: Snapshot,
  zeros: Zeros = "omitted",
): Uint8Array<ArrayBuffer> {
  const writer = new Writer(snapshotSize(snapshot, zeros));
  writeSnapshot(writer, snapshot, zeros);
  return writer.finish();
}

/** A snapshot of index 0 is etcd's way to say "none": the caller's to recognise here, gone where `Message` holds it. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  const reader = new Reader(bytes);
  const draft = emptySnapshotDraft();
  readSnapshot(reader, draft);
  return finishSnapshot(reader, draft);
}

export function snapshotSize(snapshot: Snapshot, zeros: Zeros): number {
  const { data, metadata, unknown } = snapshot;
  let size = recordSize(snapshotTag.metadata, snapshotMetadataSize(metadata, zeros));
  if (data.length !== 0) size += recordSize(snapshotTag.data, data.length);
  if (unknown !== undefined) size += unknown.length;
  return size;
}

export function writeSnapshot(writer: Writer, snapshot: Snapshot, zeros: Zeros): void {
  const { data, metadata, unknown } = snapshot;
  if (data.length !== 0) writer.lengthDelimited(snapshotTag.data, data);
  writer.record(snapshotTag.metadata, snapshotMetadataSize(metadata, zeros));
  writeSnapshotMetadata(writer, metadata, zeros);
  if (unknown !== undefined) writer.raw(unknown);
}

/** A snapshot being read: raftpb merges what comes in several pieces. */
export interface SnapshotDraft {
  data: Uint8Array;
  readonly metadata: SnapshotMetadataDraft;
  ranges: Ranges | undefined;
}

export function emptySnapshotDraft(): SnapshotDraft {
  return { data: noBytes, metadata: emptyMetadataDraft(), ranges: undefined };
}

/** Adds to `draft` what the record entered holds. */
export function readSnapshot(reader: Reader, draft: SnapshotDraft): void {
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === snapshotTag.data) draft.data = reader.lengthDelimited();
    else if (tag === snapshotTag.metadata) {
      const outer = reader.enter();
      readSnapshotMetadata(reader, draft.metadata);
      reader.leave(outer);
    } else draft.ranges = reader.keep(tag, draft.ranges);
  }
}

export function finishSnapshot(reader: Reader, draft: SnapshotDraft): Snapshot {
  return { metadata: draft.metadata, data: draft.data, unknown: reader.kept(draft.ranges) };
}
