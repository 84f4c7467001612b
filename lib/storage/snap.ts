/**
 * The format of snapshot files (`.snap`, etcd up to 3.7): names, header and trailer around the body. Pure.
 *
 *     snappb.snapshot { crc = 1, data = 2 }   data: raftpb.Snapshot { data = 1, metadata = 2 }   crc: CRC-32C of data
 *
 * Checksum and lengths stand before the body and are known after it, so a body that streams gets a header of fixed size
 * whose varints are padded (0x80 … 0x00), which every protobuf reader takes. A body that is known whole is written as etcd
 * writes it. etcd server/etcdserver/api/snap/snapshotter.go.
 */

import { concatBytes } from "../base/bytes.js";
import { crc32c } from "../base/crc32c.js";
import { DecodeError } from "../base/errors.js";
import { Reader } from "../base/protobuf.js";
import { decodeSnapshotMetadata, encodeSnapshotMetadata } from "../codec/raftpb-log.js";
import type { SnapshotMetadata } from "../core/types.js";
import { hex16 } from "./wal.js";

const crcTag = 8;
const dataTag = 18;
const bodyTag = 10;
const metadataTag = 18;

/** Header of a streamed body: tag and five bytes, tag and eight, tag and eight. */
export const streamHeaderBytes: number = 1 + 5 + 1 + 8 + 1 + 8;
/** No header is longer than this. */
export const headBytesMax = 40;

/** `0000000000000002-0000000000000007.snap`: term, then index. */
export function snapshotFile({ term, index }: Pick<SnapshotMetadata, "term" | "index">): string {
  return `${hex16(term)}-${hex16(index)}.snap`;
}

/** Undefined for the name of anything else. */
export function parseSnapshotFile(
  file: string,
): { readonly term: number; readonly index: number } | undefined {
  const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/.exec(file);
  if (match === null) return undefined;
  const [term, index] = [parseInt(match[1] ?? "", 16), parseInt(match[2] ?? "", 16)];
  return Number.isSafeInteger(term) && Number.isSafeInteger(index) ? { term, index } : undefined;
}

/** A whole small snapshot, byte for byte etcd's. */
export function encodeSnapshotFile(metadata: SnapshotMetadata, body: Uint8Array): Uint8Array {
  const data = concatBytes(
    body.length === 0 ? new Uint8Array(0) : concatBytes(field(bodyTag, body.length), body),
    trailer(metadata),
  );
  return concatBytes(field(crcTag, crc32c(data)), field(dataTag, data.length), data);
}

/** What follows the body. */
export function trailer(metadata: SnapshotMetadata): Uint8Array {
  const encoded = encodeSnapshotMetadata(metadata, "written");
  return concatBytes(field(metadataTag, encoded.length), encoded);
}

/** What goes before the body once it is known: `crc` covers the inner header, the body and the trailer. */
export function streamHeader(bodyBytes: number, trailerBytes: number, crc: number): Uint8Array {
  const inner = innerHeader(bodyBytes);
  return concatBytes(
    padded(crcTag, crc, 5),
    padded(dataTag, inner.length + bodyBytes + trailerBytes, 8),
    inner,
  );
}

/** The part of the stream header that the checksum covers. */
export function innerHeader(bodyBytes: number): Uint8Array {
  return padded(bodyTag, bodyBytes, 8);
}

/** Where things are in a snapshot file. */
export interface SnapshotLayout {
  readonly crc: number;
  /** The checksum covers everything from here to the end. */
  readonly dataFrom: number;
  readonly bodyFrom: number;
  readonly bodyTo: number;
}

/**
 * Reads the beginning of a file of `size` bytes.
 *
 * @param head  its first `headBytesMax` bytes, fewer where it is shorter
 * @throws DecodeError for what no writer of such files leaves, a torn one included
 */
export function parseHead(head: Uint8Array, size: number): SnapshotLayout {
  const reader = new Reader(head);
  if (size === 0) throw new DecodeError("it is empty");
  if (reader.tag() !== crcTag) throw new DecodeError("no checksum at its beginning");
  const crc = reader.varint();
  if (reader.tag() !== dataTag) throw new DecodeError("no data after its checksum");
  const length = reader.varint();
  const dataFrom = reader.position;
  if (crc > 0xffffffff) throw new DecodeError("its checksum has more than 32 bits");
  if (length === 0 || crc === 0) throw new DecodeError("it holds nothing");
  if (dataFrom + length !== size) {
    throw new DecodeError(`it has ${size} bytes where its header says ${dataFrom + length}`);
  }
  if (reader.tag() !== bodyTag) return { crc, dataFrom, bodyFrom: dataFrom, bodyTo: dataFrom };
  const bodyBytes = reader.varint();
  const bodyFrom = reader.position;
  if (bodyFrom + bodyBytes > size) throw new DecodeError("its body is longer than it is");
  return { crc, dataFrom, bodyFrom, bodyTo: bodyFrom + bodyBytes };
}

/** @param tail  everything after the body. @throws DecodeError */
export function parseTrailer(tail: Uint8Array): SnapshotMetadata {
  const reader = new Reader(tail);
  let metadata: SnapshotMetadata | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === metadataTag) metadata = decodeSnapshotMetadata(reader.lengthDelimited());
    else if (tag === bodyTag) throw new DecodeError("a second body");
    else reader.skip(tag);
  }
  if (metadata === undefined || metadata.index === 0) throw new DecodeError("it has no metadata");
  return metadata;
}

function field(tag: number, value: number): Uint8Array {
  const bytes = [tag];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** A varint of exactly `length` bytes. */
function padded(tag: number, value: number, length: number): Uint8Array {
  const bytes = [tag];
  let rest = value;
  for (let n = 1; n < length; n++, rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
