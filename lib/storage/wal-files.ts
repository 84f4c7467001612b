/**
 * The segments of a log, read: which there are, what they hold together, and whether the end is torn.
 *
 * Reading changes nothing: what to do about a torn tail is the caller's (wal-log.ts repairs, `inspect` reports).
 */
import { DecodeError, isLogboomError, type LogboomError } from "../base/errors.js";
import { Reader, varintSize } from "../base/protobuf.js";
import { decodeEntry, readEntry } from "../codec/raftpb-log.js";
import { type Entry, type Index, noBytes } from "../core/types.js";
import { type Directory, joinPath, readAt, readFile } from "./directory.js";
import { storageFailed } from "./lifeline.js";
import { decodeMark, isBefore } from "./synced-mark.js";
import {
  crcRecord,
  entryRecord,
  isEmpty,
  metadataRecord,
  parseSegmentFile,
  readSegment,
  recordData,
  type SegmentName,
  sectorBytes,
  segmentFile,
  skipFrames,
  snapshotRecord,
  stateRecord,
  type WalRecord,
} from "./wal.js";
import { type Place, Replay, type Window } from "./wal-replay.js";
import { WalWriter } from "./wal-writer.js";

export const markFile = "synced";

export interface Segment extends SegmentName {
  /** Of the first entry that was expected when it was begun. */
  readonly first: Index;
}

export interface Segments {
  readonly replay: Replay;
  readonly segments: readonly Segment[];
  /** The next one, made ahead and not begun. */
  readonly spare: SegmentName | undefined;
  /** Where the data end and the next record goes. */
  readonly end: Place;
  /** The running checksum at `end`. */
  readonly crc: number;
  /** The last segment's length as a file. */
  readonly fileBytes: number;
  /** What lies behind `end` is the rest of a write that did not reach the disk whole. */
  readonly torn: string | undefined;
}

/** Called for each record in order, for those who want to show them. */
export type Visit = (segment: SegmentName, record: WalRecord, data: Uint8Array) => void;

/** Segments in order. @throws LogboomError `STORAGE_FAILED` when one is missing between two others */
export async function listSegments(
  directory: Directory,
  path: string,
): Promise<readonly SegmentName[]> {
  const names = await directory.list(path);
  const segments = names.flatMap((name) => parseSegmentFile(name) ?? []);
  segments.sort((a, b) => a.sequence - b.sequence);
  for (const [n, { sequence }] of segments.entries()) {
    const expected = (segments[0]?.sequence ?? 0) + n;
    if (sequence !== expected) {
      throw storageFailed(
        `${directory.name}/${path}: the segment with number ${expected} is missing`,
      );
    }
  }
  return segments;
}

/**
 * Reads every segment.
 *
 * @param window  of the entries those are kept
 * @throws LogboomError `STORAGE_FAILED` with file and offset of the first damage
 */
export async function readSegments(
  directory: Directory,
  path: string,
  window: Window,
  visit?: Visit,
): Promise<Segments> {
  const names = await listSegments(directory, path);
  const mark = await readMark(directory, path);
  const ahead = await perhapsAhead(directory, path, names, mark);
  // A log of ours: etcd's own has no such file, and is judged by etcd's rule.
  const anyByte = (await directory.list(path)).includes(markFile);
  const replay = new Replay(window);
  const segments: Segment[] = [];
  let crc = 0;
  let end: Place = { sequence: 0, offset: 0 };
  let fileBytes = 0;
  let torn: string | undefined;
  for (const [n, segment] of names.entries()) {
    const file = joinPath(path, segmentFile(segment));
    const { bytes, size } = await readData(directory, file);
    const last = segment === ahead || n === names.length - (ahead === undefined ? 1 : 2);
    const first = segment.index ?? (replay.runs?.last ?? 0) + 1;
    let count = 0;
    const reader = new Reader(bytes);
    const ending = readSegment(bytes, { last, crc, anyByte }, (record, offset) => {
      try {
        checkPlace(count++, record);
        feed(replay, reader, bytes, record, { sequence: segment.sequence, offset });
        visit?.(segment, record, recordData(bytes, record));
      } catch (error) {
        if (!isLogboomError(error) || error.code !== "DECODE") throw error;
        throw damagedAt(directory, file, offset, error.message);
      }
    });
    if (ending.kind === "damaged") throw damagedAt(directory, file, ending.offset, ending.what);
    if (count < 2) {
      if (segment === ahead && beginsAs(bytes, headerOf(crc, replay.metadata ?? noBytes))) break;
      // It was begun when that much was on the disk: no crash takes it back, and nothing can be appended to less.
      throw damagedAt(directory, file, ending.offset, "its first two records are gone");
    }
    if (torn !== undefined) {
      const before = joinPath(path, segmentFile(names[n - 1] ?? segment));
      throw damagedAt(directory, before, end.offset, `${torn}, and the next segment was begun`);
    }
    segments.push({ ...segment, first });
    end = { sequence: segment.sequence, offset: ending.offset };
    crc = ending.crc;
    fileBytes = size;
    if (ending.kind === "torn") torn = ending.what;
    const synced = mark?.sequence === segment.sequence || (last && mark !== undefined);
    if (synced && isBefore(end, mark)) {
      const what = torn ?? "the log ends here";
      throw damagedAt(directory, file, ending.offset, `${what}, and more of it was on the disk`);
    }
  }
  replay.finish();
  const spare = segments.length < names.length ? ahead : undefined;
  return { replay, segments, spare, end, crc, fileBytes, torn };
}

/**
 * The last segment where it may have been made ahead under its own name and never begun (segment-supply.ts): the mark knows nothing of it, and its
 * first sector, which a header fits in, is all zeros, or what is behind that is.
 */
async function perhapsAhead(
  directory: Directory,
  path: string,
  segments: readonly SegmentName[],
  mark: Place | undefined,
): Promise<SegmentName | undefined> {
  const last = segments[segments.length - 1];
  if (last === undefined || last.index !== undefined || segments.length === 1) return undefined;
  if (mark !== undefined && mark.sequence >= last.sequence) return undefined;
  const file = await directory.open(joinPath(path, segmentFile(last)), "read");
  try {
    const size = await file.size();
    const sector = await readAt(file, 0, sectorBytes);
    if (isEmpty(sector, 0, sector.length)) return last;
    for (let at = sectorBytes; at < size; at += pieceBytes) {
      const piece = await readAt(file, at, Math.min(pieceBytes, size - at));
      if (!isEmpty(piece, 0, piece.length)) return undefined;
    }
    return last;
  } finally {
    await file.close();
  }
}

/** What every segment begins with that follows on `crc`. */
function headerOf(crc: number, metadata: Uint8Array): Uint8Array {
  const writer = new WalWriter(crc);
  writer.crcHandOver();
  writer.metadata(metadata);
  return writer.take();
}

/** Whether the first sector is the beginning of `header`, of any length, and zeros. */
function beginsAs(bytes: Uint8Array, header: Uint8Array): boolean {
  const sector = bytes.subarray(0, sectorBytes);
  const other = sector.findIndex((byte, at) => byte !== header[at]);
  return other === -1 || isEmpty(sector, other, sector.length);
}

/** Bytes read at once. */
const pieceBytes = 1024 * 1024;

/** A segment as far as there are frames: not the zeros allocated ahead, which may be most of it. */
async function readData(
  directory: Directory,
  path: string,
): Promise<{ bytes: Uint8Array; size: number }> {
  const file = await directory.open(path, "read");
  try {
    const size = await file.size();
    // Memory that nobody touches costs nothing.
    const bytes = new Uint8Array(size);
    let read = 0;
    let next = 0;
    while (read < size) {
      const piece = bytes.subarray(read, Math.min(size, read + pieceBytes));
      const count = await file.readInto(piece, read);
      read += count;
      const { at, ended } = skipFrames(bytes, next, read);
      if (ended || count === 0) break;
      next = at;
    }
    // Entries are views of these bytes and keep them alive: not so the part of a segment that nobody has written to.
    return { bytes: read < size ? bytes.slice(0, read) : bytes, size };
  } finally {
    await file.close();
  }
}

/** The metadata of one segment; undefined when it has none that can be read. */
export async function readMetadata(
  directory: Directory,
  path: string,
  segment: SegmentName,
): Promise<Uint8Array | undefined> {
  const file = await directory.open(joinPath(path, segmentFile(segment)), "read");
  try {
    const bytes = await readAt(file, 0, 4096);
    let found: Uint8Array | undefined;
    readSegment(bytes, { last: true, crc: 0 }, (record) => {
      if (record.type === metadataRecord) found ??= recordData(bytes, record).slice();
    });
    return found;
  } finally {
    await file.close();
  }
}

export async function readMark(directory: Directory, path: string): Promise<Place | undefined> {
  if (!(await directory.list(path)).includes(markFile)) return undefined;
  return decodeMark(await readFile(directory, joinPath(path, markFile)));
}

/** Every segment begins with the checksum handed over and the metadata. */
function checkPlace(n: number, { type }: WalRecord): void {
  if ((n === 0) !== (type === crcRecord) || (n === 1) !== (type === metadataRecord)) {
    throw new DecodeError(`record ${n + 1} of a segment has type ${type}`);
  }
}

/** One reader for a whole segment: the entry's length, which stands before its data, says where it ends. */
function decodeEntryAt(reader: Reader, bytes: Uint8Array, record: WalRecord): Entry {
  reader.position = record.from - varintSize(record.to - record.from);
  const outer = reader.enter();
  // A length written in more bytes than it needs would have been misread.
  if (reader.position !== record.from) {
    reader.leave(outer);
    return decodeEntry(recordData(bytes, record));
  }
  const entry = readEntry(reader);
  reader.leave(outer);
  return entry;
}

function feed(
  replay: Replay,
  reader: Reader,
  bytes: Uint8Array,
  record: WalRecord,
  place: Place,
): void {
  if (record.type === entryRecord) replay.entry(decodeEntryAt(reader, bytes, record));
  else if (record.type === stateRecord) replay.state(recordData(bytes, record));
  else if (record.type === metadataRecord) replay.setMetadata(recordData(bytes, record));
  else if (record.type === snapshotRecord) replay.snapshot(recordData(bytes, record), place);
  else if (record.type !== crcRecord) throw new Error(`no record has type ${record.type}`);
}

export function damagedAt(
  directory: Directory,
  file: string,
  offset: number,
  what: string,
): LogboomError {
  return storageFailed(`${directory.name}/${file} is damaged at offset ${offset}: ${what}`);
}
