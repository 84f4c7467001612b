/**
 * Writes records of etcd's log into one buffer, ready to be put to the file in one call.
 *
 * The checksum stands before the data it covers and its varint has one to five bytes, so data are written for the longest
 * and moved when it turns out shorter (one time in sixteen). Entries, the hot path, are written in place.
 */
import { crc32cOf } from "../base/crc32c.js";
import { varintSize } from "../base/protobuf.js";
import { frameHeaderBytes, framePadding, writeFrameHeader } from "../codec/frame.js";
import { entryTag, entryTypes } from "../codec/raftpb-fields.js";
import { encodeHardState, entrySize } from "../codec/raftpb-log.js";
import type { Entry, HardState } from "../core/types.js";
import {
  crcRecord,
  encodeSnapshotMark,
  entryRecord,
  metadataRecord,
  type SnapshotMark,
  snapshotRecord,
  stateRecord,
} from "./wal.js";

const firstBytes = 64 * 1024;
/** The buffer is given back above this size. */
const keptBytes = 4 * 1024 * 1024;
const crcBytesMax = 5;
/** Type and checksum with their tags, the checksum as long as can be, and the tag of the data. */
const beforeLength = 2 + 1 + crcBytesMax + 1;

export class WalWriter {
  /** The running checksum: continue an existing log by setting it. */
  crc: number;
  private bytes = new Uint8Array(firstBytes);
  private view = new DataView(this.bytes.buffer);
  private length = 0;

  constructor(crc: number) {
    this.crc = crc;
  }

  /** What was written since the last call; valid until the next record. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.bytes.subarray(0, this.length);
    this.length = 0;
    if (this.bytes.length > keptBytes) this.allocate(firstBytes);
    return taken;
  }

  get pending(): number {
    return this.length;
  }

  /** Begins a segment: hands the checksum over. */
  crcHandOver(): void {
    this.close(crcRecord, -1, this.open(0));
  }

  metadata(data: Uint8Array): void {
    this.record(metadataRecord, data);
  }

  state(state: HardState): void {
    this.record(stateRecord, encodeHardState(state));
  }

  snapshot(mark: SnapshotMark): void {
    this.record(snapshotRecord, encodeSnapshotMark(mark));
  }

  entry(entry: Entry): void {
    const { type, term, index, data, unknown } = entry;
    const size = entrySize(entry, "written");
    const at = this.open(size);
    const { bytes } = this;
    bytes[at] = entryTag.type;
    bytes[at + 1] = type === "EntryNormal" ? 0 : entryTypes.indexOf(type);
    bytes[at + 2] = entryTag.term;
    let end = putVarint(bytes, at + 3, term);
    bytes[end] = entryTag.index;
    end = putVarint(bytes, end + 1, index);
    if (data.length !== 0) {
      bytes[end] = entryTag.data;
      end = putVarint(bytes, end + 1, data.length);
      bytes.set(data, end);
      end += data.length;
    }
    if (unknown !== undefined) bytes.set(unknown, end);
    this.close(entryRecord, size, at);
  }

  private record(type: number, data: Uint8Array): void {
    const at = this.open(data.length);
    this.bytes.set(data, at);
    this.close(type, data.length, at);
  }

  /** Makes room; returns where the data go. */
  private open(size: number): number {
    const before = frameHeaderBytes + beforeLength + varintSize(size);
    this.reserve(before + size + 8);
    return this.length + before;
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const old = this.bytes;
    this.allocate(Math.max(needed, old.length * 2));
    this.bytes.set(old.subarray(0, this.length));
  }

  /** Finishes the record whose data lie at `dataAt`; a size of −1 is no data at all. */
  private close(type: number, size: number, dataAt: number): void {
    const { bytes, view, length: start } = this;
    if (size > 0) this.crc = crc32cOf(view, this.crc, dataAt, dataAt + size);
    let at = start + frameHeaderBytes;
    bytes[at] = 8;
    bytes[at + 1] = type;
    bytes[at + 2] = 16;
    at = putVarint(bytes, at + 3, this.crc);
    if (size >= 0) {
      bytes[at] = 26;
      at = putVarint(bytes, at + 1, size);
      if (at !== dataAt) bytes.copyWithin(at, dataAt, dataAt + size);
      at += size;
    }
    const body = at - start - frameHeaderBytes;
    writeFrameHeader(view, start, body);
    // Room for eight zeros is there (`open`); what is not padding is written over by the next record.
    view.setFloat64(at, 0);
    this.length = at + framePadding(body);
  }

  private allocate(size: number): void {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** Writes a varint; returns where it ends. */
function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let end = at;
  while (rest > 0xffffffff) {
    bytes[end++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    bytes[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[end++] = rest;
  return end;
}
