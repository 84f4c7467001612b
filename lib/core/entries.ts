/**
 * Entries: their sizes, as limits count them, and the making of new ones.
 *
 * The encoded size is that of etcd's protobuf form, computed here because the codec lies to the right of the core; an entry
 * keeps no record of which fields were written explicitly, so a size may differ from a Go node's by two bytes.
 */
import { varintSize } from "../base/protobuf.js";
import { type Entry, type EntryType, type Index, noBytes, type Term } from "./types.js";

export function makeEntry(term: Term, index: Index, type: EntryType, data: Uint8Array): Entry {
  return { term, index, type, data, unknown: undefined };
}

/** An entry to be proposed: the leader assigns term and index. */
export function proposedEntry(data: Uint8Array, type: EntryType = "EntryNormal"): Entry {
  return makeEntry(0, 0, type, data);
}

export const emptyEntry: Entry = proposedEntry(noBytes);

export function isConfChange(entry: Entry): boolean {
  return entry.type !== "EntryNormal";
}

/** Bytes of the protobuf encoding. */
export function encodedBytes(entry: Entry): number {
  const length = entry.data.length;
  const type = entry.type === "EntryNormal" ? 0 : 2;
  const data = length === 0 ? 0 : 1 + varintSize(length) + length;
  const unknown = entry.unknown === undefined ? 0 : entry.unknown.length;
  return type + 2 + varintSize(entry.term) + varintSize(entry.index) + data + unknown;
}

export function encodedBytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) bytes += encodedBytes(entries[i] as Entry);
  return bytes;
}

export function payloadBytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) bytes += (entries[i] as Entry).data.length;
  return bytes;
}

/** What an entry costs in memory: its payload and about as much again as an engine spends on the object. */
export function memoryBytes(entry: Entry): number {
  return entry.data.length + 128;
}

export function memoryBytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += memoryBytes(entry);
  return bytes;
}
