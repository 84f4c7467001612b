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
import { crc32c } from "../base/crc32c.js";
import { DecodeError } from "../base/errors.js";
import { Reader, varintSize, Writer } from "../base/protobuf.js";
import { entrySize, readEntry, writeEntry } from "../codec/raftpb-log.js";
import type { Entry } from "../core/types.js";

const version = 1;
const headerBytes = 8;

/** @param entries  contiguous, at least one */
export function encodeBatch(entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  const sizes = entries.map((entry) => entrySize(entry, "omitted"));
  const length = sizes.reduce((sum, size) => sum + varintSize(size) + size, headerBytes);
  const writer = new Writer(length);
  writer.raw(new Uint8Array(headerBytes));
  for (const [n, entry] of entries.entries()) {
    writer.varint(sizes[n] ?? 0);
    writeEntry(writer, entry, "omitted");
  }
  const bytes = writer.finish();
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint32(4, crc32c(bytes.subarray(headerBytes)), true);
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
  if (view.getUint32(4, true) !== crc32c(bytes.subarray(headerBytes))) {
    throw new DecodeError("the checksum of a batch does not match");
  }
  const reader = new Reader(bytes);
  reader.position = headerBytes;
  const entries: Entry[] = [];
  while (reader.more()) {
    const outer = reader.enter();
    const entry = readEntry(reader);
    reader.leave(outer);
    const expected = (entries.at(-1)?.index ?? entry.index - 1) + 1;
    if (entry.index < 1 || entry.index !== expected || entry.term < 1) {
      throw new DecodeError(`entry ${expected} of a batch has index ${entry.index}`);
    }
    entries.push(entry);
  }
  return entries;
}
