/**
 * Entries packed into one value, for stores that keep values and not files: one put per write instead of one per entry.
 *
 *     0  u8   version, 1
 *     1  u24  zero
 *     4  u32  CRC-32C of everything from offset 8
 *     8  f64  index of the first entry
 *    16  u32  number of entries
 *    20  entries: u8 type · u8 flags (1: has unknown) · f64 term · u32 length · data [· u32 length · unknown]
 *
 * Little-endian; an index or term is an f64 because those hold every safe integer exactly. Decoding checks the sum first and
 * every length against what is left, and allocates nothing by a length it read.
 */
import { crc32c } from "../base/crc32c.js";
import { DecodeError } from "../base/errors.js";
import type { Entry, EntryType, Index } from "../core/types.js";

const version = 1;
const headerBytes = 20;
const entryBytesMin = 14;
const types: readonly EntryType[] = ["EntryNormal", "EntryConfChange", "EntryConfChangeV2"];
const hasUnknown = 1;

/** @param entries  contiguous, at least one */
export function encodeBatch(entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  let length = headerBytes;
  for (const { data, unknown } of entries) {
    length += entryBytesMin + data.length + (unknown === undefined ? 0 : 4 + unknown.length);
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setFloat64(8, entries[0]?.index ?? 0, true);
  view.setUint32(16, entries.length, true);
  let at = headerBytes;
  const put = (part: Uint8Array): void => {
    view.setUint32(at, part.length, true);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  };
  for (const { term, type, data, unknown } of entries) {
    view.setUint8(at, types.indexOf(type));
    view.setUint8(at + 1, unknown === undefined ? 0 : hasUnknown);
    view.setFloat64(at + 2, term, true);
    at += 10;
    put(data);
    if (unknown !== undefined) put(unknown);
  }
  view.setUint32(4, crc32c(bytes.subarray(8)), true);
  return bytes;
}

/** The entries of a batch; their data are views of `bytes`. @throws DecodeError */
export function decodeBatch(bytes: Uint8Array): Entry[] {
  if (bytes.length < headerBytes) {
    throw new DecodeError(`a batch has at least ${headerBytes} bytes, got ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== version) {
    throw new DecodeError(`a batch begins with version ${version}, got ${view.getUint32(0, true)}`);
  }
  if (view.getUint32(4, true) !== crc32c(bytes.subarray(8))) {
    throw new DecodeError("the checksum of a batch does not match");
  }
  const first: Index = view.getFloat64(8, true);
  const count = view.getUint32(16, true);
  if (!Number.isSafeInteger(first) || first < 1 || count < 1) {
    throw new DecodeError(`a batch has entries from index 1 on, got ${count} from ${first}`);
  }
  if (count > (bytes.length - headerBytes) / entryBytesMin) {
    throw new DecodeError(`${count} entries do not fit into ${bytes.length} bytes`);
  }
  return decodeEntries(bytes, view, first, count);
}

function decodeEntries(bytes: Uint8Array, view: DataView, first: Index, count: number): Entry[] {
  const entries: Entry[] = [];
  let at = headerBytes;
  const take = (): Uint8Array => {
    if (at + 4 > bytes.length) throw new DecodeError("a batch ends within a length");
    const length = view.getUint32(at, true);
    const end = at + 4 + length;
    if (end > bytes.length) throw new DecodeError(`a batch ends within ${length} bytes of data`);
    const part = bytes.subarray(at + 4, end);
    at = end;
    return part;
  };
  for (let n = 0; n < count; n++) {
    if (at + entryBytesMin > bytes.length) throw new DecodeError("a batch ends within an entry");
    const type = types[view.getUint8(at)];
    const flags = view.getUint8(at + 1);
    const term = view.getFloat64(at + 2, true);
    if (type === undefined || flags > hasUnknown || !Number.isSafeInteger(term) || term < 1) {
      throw new DecodeError(`entry ${first + n} of a batch has a bad type, flags or term`);
    }
    at += 10;
    const data = take();
    const unknown = flags === hasUnknown ? take() : undefined;
    entries.push({ term, index: first + n, type, data, unknown });
  }
  if (at !== bytes.length) throw new DecodeError("a batch has bytes after its last entry");
  return entries;
}
