/**
 * raftpb's Message: what one node says to another, wire compatible with etcd/raft 3.6 and 3.7 and with raft-rs.
 *
 * One record, sixteen fields, most of them absent in any one message. Numbers that say nothing are left out (etcd/raft 3.7,
 * raft-rs); `"written"` writes zeros as etcd/raft up to 3.6. A batch, for links between our own nodes, is messages behind their lengths.
 *
 * What must not come from outside is refused here: local types (MsgHup, MsgBeat, MsgStorageAppend …), responses riding in field 14,
 * ids and numbers beyond 2^53−1, and so the local threads' ids. A snapshot of index 0 is none. `priority` is written in
 * field 16 alone: raft-rs also fills 14, on which etcd/raft 3.6 fails.
 *
 * Bounds: what the bytes hold, 256 B per field.  Not here: whether a message makes sense (core/step.ts).
 */
import { InvariantError } from "../base/errors.js";
import {
  numberSize,
  Reader,
  recordSize,
  signedVarintSize,
  varintSize,
  Writer,
  type Zeros,
} from "../base/protobuf.js";
import type { Entry, Message, MessageType } from "../core/types.js";
import { noBytes } from "../core/types.js";
import { messageTag, wireMessageTypes } from "./raftpb-fields.js";
import {
  emptySnapshotDraft,
  entrySize,
  finishSnapshot,
  readEntry,
  readSnapshot,
  type SnapshotDraft,
  snapshotSize,
  writeEntry,
  writeSnapshot,
} from "./raftpb-log.js";

/** @throws InvariantError  for a local message, a negative id, a number that is not a safe integer */
export function encodeMessage(message: Message, zeros: Zeros = "omitted"): Uint8Array<ArrayBuffer> {
  const writer = new Writer(messageSize(message, zeros));
  writeMessage(writer, message, zeros);
  return writer.finish();
}

/** @param bytes  owned by the result: entries' and snapshot's data are views of it. @throws DecodeError */
export function decodeMessage(bytes: Uint8Array): Message {
  return readMessage(new Reader(bytes));
}

/** Messages in one frame, each behind its length as a varint. No messages are no bytes. */
export function encodeMessages(messages: readonly Message[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  const sizes: number[] = [];
  for (const message of messages) {
    const own = messageSize(message, "omitted");
    sizes.push(own);
    size += varintSize(own) + own;
  }
  const writer = new Writer(size);
  let i = 0;
  for (const message of messages) {
    writer.varint(sizes[i++] as number);
    writeMessage(writer, message, "omitted");
  }
  return writer.finish();
}

/** What `encodeMessages` wrote. One bad message spoils the frame. @throws DecodeError */
export function decodeMessages(bytes: Uint8Array): Message[] {
  const reader = new Reader(bytes);
  const messages: Message[] = [];
  while (reader.more()) {
    const outer = reader.enter();
    messages.push(readMessage(reader));
    reader.leave(outer);
  }
  return messages;
}

const typeNumbers: ReadonlyMap<MessageType, number> = new Map(
  wireMessageTypes.flatMap((type, number) => (type === undefined ? [] : [[type, number]])),
);

function typeNumber(type: MessageType): number {
  const number = typeNumbers.get(type);
  if (number === undefined) {
    throw new InvariantError("a local message does not travel", { type });
  }
  return number;
}

function messageSize(message: Message, zeros: Zeros): number {
  const { entries, snapshot, context, priority } = message;
  const field = zeros === "written" ? numberSize : setNumberSize;
  let size =
    2 + // type: its tag and its number take a byte each
    field(messageTag.to, message.to) +
    field(messageTag.from, message.from) +
    field(messageTag.term, message.term) +
    field(messageTag.logTerm, message.logTerm) +
    field(messageTag.index, message.index) +
    field(messageTag.commit, message.commit) +
    field(messageTag.reject, message.reject ? 1 : 0) +
    field(messageTag.rejectHint, message.rejectHint) +
    field(messageTag.requestSnapshot, message.requestSnapshot) +
    setNumberSize(messageTag.commitTerm, message.commitTerm);
  for (const entry of entries) size += recordSize(messageTag.entries, entrySize(entry, zeros));
  if (snapshot !== undefined) {
    size += recordSize(messageTag.snapshot, snapshotSize(snapshot, zeros));
  }
  if (context.length !== 0) size += recordSize(messageTag.context, context.length);
  if (priority !== 0) size += varintSize(messageTag.priority) + signedVarintSize(priority);
  return size;
}

function setNumberSize(tag: number, value: number): number {
  return value === 0 ? 0 : numberSize(tag, value);
}

function writeMessage(writer: Writer, message: Message, zeros: Zeros): void {
  const { entries, snapshot, context, priority } = message;
  const written = zeros === "written";
  writer.number(messageTag.type, typeNumber(message.type));
  if (message.to !== 0 || written) writer.number(messageTag.to, message.to);
  if (message.from !== 0 || written) writer.number(messageTag.from, message.from);
  if (message.term !== 0 || written) writer.number(messageTag.term, message.term);
  if (message.logTerm !== 0 || written) writer.number(messageTag.logTerm, message.logTerm);
  if (message.index !== 0 || written) writer.number(messageTag.index, message.index);
  for (const entry of entries) {
    writer.record(messageTag.entries, entrySize(entry, zeros));
    writeEntry(writer, entry, zeros);
  }
  if (message.commit !== 0 || written) writer.number(messageTag.commit, message.commit);
  if (snapshot !== undefined) {
    writer.record(messageTag.snapshot, snapshotSize(snapshot, zeros));
    writeSnapshot(writer, snapshot, zeros);
  }
  if (message.reject || written) writer.number(messageTag.reject, message.reject ? 1 : 0);
  if (message.rejectHint !== 0 || written) writer.number(messageTag.rejectHint, message.rejectHint);
  if (context.length !== 0) writer.lengthDelimited(messageTag.context, context);
  if (message.requestSnapshot !== 0 || written) {
    writer.number(messageTag.requestSnapshot, message.requestSnapshot);
  }
  if (message.commitTerm !== 0) writer.number(messageTag.commitTerm, message.commitTerm);
  if (priority !== 0) {
    writer.varint(messageTag.priority);
    writer.signedVarint(priority);
  }
}

const noEntries: readonly Entry[] = [];

/** Reads to the end of the record entered. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: one case per field, and one place where all fields meet
function readMessage(reader: Reader): Message {
  let type = 0;
  let to = 0;
  let from = 0;
  let term = 0;
  let logTerm = 0;
  let index = 0;
  let entries: Entry[] | undefined;
  let commit = 0;
  let commitTerm = 0;
  let snapshot: SnapshotDraft | undefined;
  let reject = false;
  let rejectHint = 0;
  let context = noBytes;
  let requestSnapshot = 0;
  let deprecatedPriority = 0;
  let priority = 0;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case messageTag.type:
        type = reader.varint();
        break;
      case messageTag.to:
        to = reader.varint();
        break;
      case messageTag.from:
        from = reader.varint();
        break;
      case messageTag.term:
        term = reader.varint();
        break;
      case messageTag.logTerm:
        logTerm = reader.varint();
        break;
      case messageTag.index:
        index = reader.varint();
        break;
      case messageTag.entries: {
        const outer = reader.enter();
        const entry = readEntry(reader);
        reader.leave(outer);
        if (entries === undefined) entries = [entry];
        else entries.push(entry);
        break;
      }
      case messageTag.commit:
        commit = reader.varint();
        break;
      case messageTag.snapshot: {
        snapshot ??= emptySnapshotDraft();
        const outer = reader.enter();
        readSnapshot(reader, snapshot);
        reader.leave(outer);
        break;
      }
      case messageTag.reject:
        reject = reader.bool();
        break;
      case messageTag.rejectHint:
        rejectHint = reader.varint();
        break;
      case messageTag.context:
        context = reader.lengthDelimited();
        break;
      case messageTag.requestSnapshot:
        requestSnapshot = reader.varint();
        break;
      case messageTag.deprecatedPriority:
        deprecatedPriority = reader.varint();
        break;
      case messageTag.responses:
        throw reader.error("Message.responses, which are local");
      case messageTag.commitTerm:
        commitTerm = reader.varint();
        break;
      case messageTag.priority:
        priority = reader.signedVarint();
        break;
      default:
        reader.skip(tag);
    }
  }
  const known = wireMessageTypes[type];
  if (known === undefined) throw reader.error(`Message.type ${type}, which does not travel`);
  // Field order is types.ts's, for one hidden class with the core's own messages.
  return {
    type: known,
    to,
    from,
    term,
    logTerm,
    index,
    entries: entries ?? noEntries,
    commit,
    commitTerm,
    snapshot:
      snapshot === undefined || snapshot.metadata.index === 0
        ? undefined
        : finishSnapshot(reader, snapshot),
    reject,
    rejectHint,
    context,
    requestSnapshot: known === "MsgAppResp" ? requestSnapshot : 0,
    priority: priority === 0 ? deprecatedPriority : priority,
  };
}
