/**
 * Entries packed into one value, for stores that keep values and not files: one put per write instead of one per entry.
 *
 *     0  u8   version, 1
 *     1  u24  zero
 *     4  u32  CRC-32C of everything from offset 8, little-endian
 *     8  entries: varint length, raftpb.Entry
 *
 * Decoding checks the sum first and every length against what is left, and allocates nothing by a length it read.
 */
import { crc32cOf } from "../base/crc32c.js";
import { DecodeError } from "../base/errors.js";
import { Reader, varintSize, Writer } from "../base/protobuf.js";
import { entrySize, readEntry, writeEntry } from "../codec/raftpb-log.js";
import type { Entry } from "../core/types.js";

const version = 1;
const headerBytes = 8;

/** @param entries  contiguous, at least one */
export function encodeBatch(entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  const bytes = packEntries(entries, headerBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint32(4, crc32cOf(view, 0, headerBytes, bytes.length), true);
  return bytes;
}

/** The entries of a batch, contiguous; their data are views of `bytes`. @throws DecodeError */
export function decodeBatch(bytes: Uint8Array): Entry[] {
  if (bytes.length <= headerBytes) {
    throw new DecodeError(`a batch has more than ${headerBytes} bytes, got ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== version) {
    throw new DecodeError(`a batch begins with version ${version}, got ${view.getUint32(0, true)}`);
  }
  if (view.getUint32(4, true) !== crc32cOf(view, 0, headerBytes, bytes.length)) {
    throw new DecodeError("the checksum of a batch does not match");
  }
  const entries = unpackEntries(bytes, headerBytes);
  for (const [n, { index, term }] of entries.entries()) {
    const expected = (entries[0]?.index ?? 0) + n;
    if (index < 1 || index !== expected || term < 1) {
      throw new DecodeError(`entry ${expected} of a batch has index ${index}`);
    }
  }
  return entries;
}

/** Entries one after the other in an array of their own, `before` bytes into it; without a checksum. */
export function packEntries(entries: readonly Entry[], before = 0): Uint8Array<ArrayBuffer> {
  let length = before;
  const sizes = new Array<number>(entries.length);
  for (const [n, entry] of entries.entries()) {
    const size = entrySize(entry, "omitted");
    sizes[n] = size;
    length += varintSize(size) + size;
  }
  const writer = new Writer(length, before);
  for (const [n, entry] of entries.entries()) {
    writer.varint(sizes[n] ?? 0);
    writeEntry(writer, entry, "omitted");
  }
  return writer.finish();
}

/** What `packEntries` packed; their data are views of `bytes`. @throws DecodeError */
export function unpackEntries(bytes: Uint8Array, from = 0): Entry[] {
  const reader = new Reader(bytes);
  reader.position = from;
  const entries: Entry[] = [];
  while (reader.more()) {
    const outer = reader.enter();
    entries.push(readEntry(reader));
    reader.leave(outer);
  }
  return entries;
}
