/**
 * LogRecord: what one write leaves in a store that keeps values and not files. Pure.
 *
 *     0  u32  version, 2, little-endian
 *     4  u32  CRC-32C of everything from offset 8, little-endian
 *     8  varints: kind (0 a write, 1 the taking over by a new owner), boot, from, then HardState's term, vote and commit, the index and
 *        term of the compaction point, the index and term of the last entry: the log as it is once this is written
 *     …  entries, packed (entry-batch.ts)
 *
 * Records lie under ascending numbers without a gap, and `from` is the number of the first that is still needed. A later one's entries
 * cut off what stood at and above their first index.
 */
import { crc32cOf } from "../base/crc32c.js";
import { DecodeError } from "../base/errors.js";
import { Reader, varintSize, Writer } from "../base/protobuf.js";
import type { Entry } from "../core/types.js";
import { packEntries, unpackEntries } from "./entry-batch.js";
import type { LogShape } from "./log-shape.js";

export interface LogRecord {
  /** Written by who takes the log over: it stands where the former owner's next one would go. */
  readonly takesOver: boolean;
  /** The owner's epoch. */
  readonly boot: number;
  readonly from: number;
  readonly shape: LogShape;
  /** Contiguous. */
  readonly entries: readonly Entry[];
}

const version = 2;
const headerBytes = 8;

export function encodeRecord(record: LogRecord): Uint8Array<ArrayBuffer> {
  const { hardState, compacted, last } = record.shape;
  const numbers = [
    record.takesOver ? 1 : 0,
    record.boot,
    record.from,
    hardState.term,
    hardState.vote,
    hardState.commit,
    compacted.index,
    compacted.term,
    last.index,
    last.term,
  ];
  let size = headerBytes;
  for (const number of numbers) size += varintSize(number);
  const head = new Writer(size, headerBytes);
  for (const number of numbers) head.varint(number);
  const bytes = packEntries(record.entries, head.finish());
  const view = new DataView(bytes.buffer);
  view.setUint32(0, version, true);
  view.setUint32(4, crc32cOf(view, 0, headerBytes, bytes.length), true);
  return bytes;
}

/** The entries' data are views of `bytes`. @throws DecodeError */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  if (bytes.length <= headerBytes) {
    throw new DecodeError(`a record has more than ${headerBytes} bytes, got ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== version) {
    throw new DecodeError(
      `a record begins with version ${version}, got ${view.getUint32(0, true)}`,
    );
  }
  if (view.getUint32(4, true) !== crc32cOf(view, 0, headerBytes, bytes.length)) {
    throw new DecodeError("the checksum of a record does not match");
  }
  const reader = new Reader(bytes);
  reader.position = headerBytes;
  const next = (): number => reader.varint();
  const record = {
    takesOver: next() === 1,
    boot: next(),
    from: next(),
    shape: {
      hardState: { term: next(), vote: next(), commit: next() },
      compacted: { index: next(), term: next() },
      last: { index: next(), term: next() },
    },
    entries: unpackEntries(bytes, reader.position),
  };
  checkShape(record.shape);
  checkContiguous(record.entries);
  return record;
}

function checkShape({ hardState, compacted, last }: LogShape): void {
  if (compacted.index <= last.index && hardState.commit <= last.index) return;
  throw new DecodeError(
    `commit ${hardState.commit} and compaction point ${compacted.index} are at most the last index ${last.index}`,
  );
}

function checkContiguous(entries: readonly Entry[]): void {
  const first = entries[0]?.index ?? 0;
  for (const [n, { index, term }] of entries.entries()) {
    if (index >= 1 && index === first + n && term >= 1) continue;
    throw new DecodeError(`entry ${first + n} of a record has index ${index} and term ${term}`);
  }
}
