/** Entries in one array of bytes: each a varint length and a raftpb.Entry. Without a checksum, which is the caller's. Pure. */
import { concatBytes } from "../base/bytes.js";
import { Reader, varintSize, Writer } from "../base/protobuf.js";
import { entrySize, readEntry, writeEntry } from "../codec/raftpb-log.js";
import { type Entry, noBytes } from "../core/types.js";

/** @returns `head` and the entries behind it, in a buffer that holds nothing else */
export function packEntries(
  entries: readonly Entry[],
  head: Uint8Array = noBytes,
): Uint8Array<ArrayBuffer> {
  if (entries.length === 0) return concatBytes(head);
  let length = head.length;
  const sizes = new Array<number>(entries.length);
  for (let n = 0; n < entries.length; n++) {
    const size = entrySize(entries[n] as Entry, "omitted");
    sizes[n] = size;
    length += varintSize(size) + size;
  }
  const writer = new Writer(length);
  writer.raw(head);
  for (let n = 0; n < entries.length; n++) {
    writer.varint(sizes[n] as number);
    writeEntry(writer, entries[n] as Entry, "omitted");
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
