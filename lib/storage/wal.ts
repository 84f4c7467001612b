/**
 * The format of etcd's write-ahead log: names of segments, records, the checksum chain, and what a torn tail looks like. Pure.
 *
 * A segment is frames (codec/frame.ts) around `walpb.Record { type, crc, data }`. `crc` is CRC-32C over the data of all
 * records so far, across segments; a segment begins with a crc record that hands the sum over, the metadata, and the last
 * HardState. Zeros after the last frame are space allocated ahead. Byte for byte etcd 3.4 to 3.8:
 * server/storage/wal/{wal,encoder,decoder}.go.
 *
 * Not here: what the records mean together (wal-replay.ts), and files (wal-log.ts).
 */
import { crc32cOf } from "../base/crc32c.js";
import { DecodeError } from "../base/errors.js";
import { numberSize, Reader, recordSize, Writer } from "../base/protobuf.js";
import { frameHeaderBytes, isEndOfFrames, readBodyLength, readPadding } from "../codec/frame.js";
import { confStateSize, decodeConfState, writeConfState } from "../codec/raftpb-log.js";
import { type ConfState, emptyConfState, type Index, noBytes, type Term } from "../core/types.js";

export const metadataRecord = 1;
export const entryRecord = 2;
export const stateRecord = 3;
export const crcRecord = 4;
export const snapshotRecord = 5;

/** A write cannot tear within a sector. */
export const sectorBytes = 512;

export interface SegmentName {
  readonly sequence: number;
  /** Of the first entry expected in it; 0 in the very first. Undefined where the name was given before that was known. */
  readonly index: Index | undefined;
}

/** `0000000000000001-000000000000002a.wal`, as etcd has it; `0000000000000001.wal` where the name was given ahead of time. */
export function segmentFile({ sequence, index }: SegmentName): string {
  return index === undefined ? `${hex16(sequence)}.wal` : `${hex16(sequence)}-${hex16(index)}.wal`;
}

/** Undefined for the name of anything else. */
export function parseSegmentFile(file: string): SegmentName | undefined {
  const match = /^([0-9a-f]{16})(?:-([0-9a-f]{16}))?\.wal$/.exec(file);
  if (match === null) return undefined;
  const sequence = parseInt(match[1] ?? "", 16);
  const index = match[2] === undefined ? undefined : parseInt(match[2], 16);
  return Number.isSafeInteger(sequence) && Number.isSafeInteger(index ?? 0)
    ? { sequence, index }
    : undefined;
}

export function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}

/** `walpb.Snapshot`: that a snapshot exists, and whose configuration it has. */
export interface SnapshotMark {
  readonly index: Index;
  readonly term: Term;
  /** Undefined in files older than etcd 3.5, and at index 0. */
  readonly confState: ConfState | undefined;
}

const markTag = { index: 8, term: 16, confState: 26 } as const;

export function encodeSnapshotMark({ index, term, confState }: SnapshotMark): Uint8Array {
  const state = confState ?? emptyConfState;
  let size = numberSize(markTag.index, index) + numberSize(markTag.term, term);
  if (confState !== undefined) size += recordSize(markTag.confState, confStateSize(state));
  const writer = new Writer(size);
  writer.number(markTag.index, index);
  writer.number(markTag.term, term);
  if (confState !== undefined) {
    writer.record(markTag.confState, confStateSize(state));
    writeConfState(writer, state);
  }
  return writer.finish();
}

/** @throws DecodeError */
export function decodeSnapshotMark(bytes: Uint8Array): SnapshotMark {
  const reader = new Reader(bytes);
  let index = 0;
  let term = 0;
  let confState: ConfState | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === markTag.index) index = reader.varint();
    else if (tag === markTag.term) term = reader.varint();
    else if (tag === markTag.confState) confState = decodeConfState(reader.lengthDelimited());
    else reader.skip(tag);
  }
  return { index, term, confState };
}

/** One record as it lies in its segment. */
export interface WalRecord {
  readonly type: number;
  readonly crc: number;
  /** The data, [from, to) of the segment's bytes. */
  readonly from: number;
  readonly to: number;
}

export interface ReadOptions {
  /** A torn tail is possible in the last segment alone. */
  readonly last: boolean;
  /** The running checksum before the segment: 0 to begin anywhere, else the one handed over must match. */
  readonly crc: number;
  /** Beside etcd's rule: a record that breaks off in zeros with which the file goes on is torn, wherever it breaks off. */
  readonly anyByte?: boolean;
}

export type Ending =
  /** The data end here, at the end of the file or at a length of zero. */
  | { readonly kind: "end"; readonly offset: number }
  /** As a write leaves it that did not reach the disk whole: the frame at `offset` and all after it never were. */
  | { readonly kind: "torn"; readonly offset: number; readonly what: string }
  /** What no crash explains. */
  | { readonly kind: "damaged"; readonly offset: number; readonly what: string };

/**
 * Walks over whole frames from `from` on, without looking into them.
 *
 * @param to  how much of `bytes` has been read
 * @returns where the next frame begins, possibly beyond `to`, and whether what was read shows that there is none
 */
export function skipFrames(
  bytes: Uint8Array,
  from: number,
  to: number,
): { readonly at: number; readonly ended: boolean } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = from;
  while (at + frameHeaderBytes <= to) {
    if (isEndOfFrames(view, at)) return { at, ended: true };
    at += frameHeaderBytes + readBodyLength(view, at) + readPadding(view, at);
  }
  return { at, ended: false };
}

/**
 * Walks one segment and calls `visit` for each record whose checksum fits the chain.
 *
 * @param bytes  the file, or its beginning up to an end of frames
 * @returns how it ended, and the running checksum there
 * @throws what `visit` throws
 */
export function readSegment(
  bytes: Uint8Array,
  { last, crc: before, anyByte = false }: ReadOptions,
  visit: (record: WalRecord, offset: number) => void,
): Ending & { readonly crc: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let crc = before;
  let offset = 0;
  const ended = (ending: Ending): Ending & { readonly crc: number } => ({ ...ending, crc });
  const short = (what: string): Ending & { readonly crc: number } =>
    ended({ kind: last ? "torn" : "damaged", offset, what });

  for (;;) {
    const left = bytes.length - offset;
    if (left === 0) return ended({ kind: "end", offset });
    if (left < frameHeaderBytes) return short(`${left} bytes are no frame`);
    if (isEndOfFrames(view, offset)) return ended({ kind: "end", offset });
    const length = readBodyLength(view, offset);
    const padding = readPadding(view, offset);
    const size = frameHeaderBytes + length + padding;
    if (size > left) return short(`a frame of ${size} bytes where ${left} are left`);
    const torn = (what: string): Ending & { readonly crc: number } =>
      last &&
      (hasEmptySector(bytes, offset + frameHeaderBytes, offset + size) ||
        (anyByte && isEmpty(bytes, offset + frameHeaderBytes + length - 1, bytes.length)))
        ? ended({ kind: "torn", offset, what: `${what}, and part of it was never written` })
        : ended({ kind: "damaged", offset, what });
    const record = decodeRecord(bytes, offset + frameHeaderBytes, length);
    if (typeof record === "string") return torn(record);
    if (record.type === crcRecord) {
      if (crc !== 0 && record.crc !== crc) {
        return ended({ kind: "damaged", offset, what: "the checksum handed over does not match" });
      }
      crc = record.crc;
    } else {
      const sum = crc32cOf(view, crc, record.from, record.to);
      if (sum !== record.crc) return torn("the checksum does not match");
      crc = sum;
    }
    visit(record, offset);
    offset += size;
  }
}

/**
 * Looks for a piece that is all zero among the sectors of [from, to): the mark of a write the disk carried out in part. As etcd, the
 * pieces at both ends count as well, however short.
 */
function hasEmptySector(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; ) {
    const end = Math.min(to, at + sectorBytes - (at % sectorBytes));
    if (isEmpty(bytes, at, end)) return true;
    at = end;
  }
  return false;
}

export function isEmpty(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** The record, or what is wrong with it. Every writer puts the fields in this order; a reader must not count on it. */
function decodeRecord(bytes: Uint8Array, from: number, length: number): WalRecord | string {
  if (bytes[from] !== 8 || bytes[from + 2] !== 16) return decodeAnyRecord(bytes, from, length);
  const type = bytes[from + 1] as number;
  let at = from + 3;
  let crc = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++] as number;
    crc += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    if (at > from + 8) return decodeAnyRecord(bytes, from, length);
  }
  if (bytes[at++] !== 26) return decodeAnyRecord(bytes, from, length);
  let size = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++] as number;
    size += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    if (at > from + 16) return decodeAnyRecord(bytes, from, length);
  }
  const plain = type >= metadataRecord && type <= snapshotRecord && crc <= 0xffffffff;
  if (!plain || at + size !== from + length) return decodeAnyRecord(bytes, from, length);
  return { type, crc, from: at, to: at + size };
}

function decodeAnyRecord(bytes: Uint8Array, from: number, length: number): WalRecord | string {
  const reader = new Reader(bytes.subarray(from, from + length));
  let type: number | undefined;
  let crc: number | undefined;
  let [dataFrom, dataTo] = [from + length, from + length];
  try {
    while (reader.more()) {
      const tag = reader.tag();
      if (tag === 8) type = reader.varint();
      else if (tag === 16) crc = reader.varint();
      else if (tag === 26) {
        const data = reader.lengthDelimited();
        dataTo = from + reader.position;
        dataFrom = dataTo - data.length;
      } else reader.skip(tag);
    }
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
  if (type === undefined || type < metadataRecord || type > snapshotRecord) {
    return `no record has type ${type}`;
  }
  if (crc === undefined || crc > 0xffffffff) return "a record without a checksum";
  return { type, crc, from: dataFrom, to: dataTo };
}

/** `data` of a record, as a view. */
export function recordData(bytes: Uint8Array, { from, to }: WalRecord): Uint8Array {
  return from === to ? noBytes : bytes.subarray(from, to);
}
