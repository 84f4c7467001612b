/**
 * From the files a crash left to a log that can be continued.
 *
 * The order is etcd's: read everything, choose the newest snapshot that the log names, that a HardState covers and whose body
 * is whole, keep the entries after it; cut a torn tail off (after a copy to `.broken`), make the rest of the segment
 * zeros, and continue the checksum chain there. What contradicts itself before the end is refused with file and offset.
 */
import type { Entry, Index, SnapshotMetadata } from "../core/types.js";
import { emptyConfState } from "../core/types.js";
import { type Directory, type DirectoryFile, joinPath, readAt } from "./directory.js";
import { storageFailed } from "./lifeline.js";
import type { LogShape } from "./log-shape.js";
import { removeSpares } from "./segment-supply.js";
import type { Loaded } from "./storage.js";
import { encodeMark, isBefore } from "./synced-mark.js";
import { TermRuns } from "./term-runs.js";
import { type SnapshotMark, segmentFile } from "./wal.js";
import { damagedAt, markFile, readMark, readSegments, type Segments } from "./wal-files.js";
import { WalLog, type WalSetup } from "./wal-log.js";
import type { Place, Window } from "./wal-replay.js";

export interface Recovered {
  readonly log: WalLog;
  readonly loaded: Loaded;
}

/** About what a record takes beside an entry's data. */
const recordOverhead = 32;

/** A part of the store is not there: it is no store any more. */
export class PartGone extends Error {}

/** What is loaded of the log behind the snapshot that is started from. */
export interface Trailing {
  readonly entries: number;
  readonly bytes: number;
}

/** @throws LogboomError `STORAGE_FAILED` · PartGone where every snapshot is gone and the log does not begin at its first entry */
export async function recover(setup: WalSetup, trailing: Trailing): Promise<Recovered> {
  const { directory, path, snapshots } = setup;
  const readFor = async (index: Index): Promise<Segments> => {
    const after = Math.max(0, index - trailing.entries);
    const window: Window = { after, behind: index, bytesMax: trailing.bytes };
    return await takeBack(setup, await readSegments(directory, path, window), window);
  };
  let behind = snapshots.list()[0]?.index ?? 0;
  let read = await readFor(behind);
  const damaged: Error[] = [];
  for (;;) {
    const candidate = usable(read, snapshots.list())[0];
    const index = candidate?.index ?? 0;
    if (index < behind && read.replay.keptAfter > Math.max(0, index - trailing.entries)) {
      // The newest file was not the one to start from: the entries before it are needed after all.
      behind = index;
      read = await readFor(behind);
    }
    const damage = candidate === undefined ? undefined : await snapshots.verify(candidate);
    if (damage === undefined) return await start(setup, read, candidate, damaged);
    damaged.push(damage);
  }
}

/** Snapshots that the log names and a HardState covers, whose files are there, and from which the log can go on; newest first. */
function usable(read: Segments, files: readonly SnapshotMetadata[]): SnapshotMetadata[] {
  const { marks, hardState, runs } = read.replay;
  const covered = marks.filter((mark) => mark.index > 0 && mark.index <= hardState.commit);
  return files.filter(
    (file) =>
      file.index >= (runs?.compacted.index ?? 0) &&
      file.index <= (runs?.last ?? 0) &&
      covered.some((mark) => sameName(mark, file)),
  );
}

function sameName(mark: SnapshotMark, file: SnapshotMetadata): boolean {
  return mark.index === file.index && mark.term === file.term;
}

/** Drops what a write with a snapshot left that did not reach the disk whole. */
async function takeBack(
  { directory, path }: WalSetup,
  read: Segments,
  window: Window,
): Promise<Segments> {
  const place = read.replay.unfinished();
  if (place === undefined) return read;
  const segment = read.segments.find(({ sequence }) => sequence === place.sequence);
  const last = read.segments[read.segments.length - 1];
  const mark = await readMark(directory, path);
  if (segment === undefined || segment !== last || isBefore(place, mark)) {
    const file = segment === undefined ? path : joinPath(path, segmentFile(segment));
    throw damagedAt(directory, file, place.offset, "a snapshot that no HardState covers");
  }
  await cutOff(directory, joinPath(path, segmentFile(last)), place.offset);
  const again = await readSegments(directory, path, window);
  return { ...again, fileBytes: read.fileBytes };
}

/** Keeps a copy of a segment whose end does not count, and cuts the end off. */
async function cutOff(directory: Directory, file: string, offset: number): Promise<void> {
  const source = await directory.open(file, "existing");
  try {
    const copy = await directory.open(`${file}.broken`, "create");
    const size = await source.size();
    const piece = 1024 * 1024;
    for (let at = 0; at < size; at += piece) await copy.write(at, await readAt(source, at, piece));
    await copy.sync();
    await copy.close();
    await directory.sync(file.slice(0, file.lastIndexOf("/")));
    await source.truncate(offset);
    await source.sync();
  } finally {
    await source.close();
  }
}

async function start(
  setup: WalSetup,
  read: Segments,
  chosen: SnapshotMetadata | undefined,
  damaged: readonly Error[],
): Promise<Recovered> {
  const { directory, path, snapshots } = setup;
  const { replay } = read;
  const runs = replay.runs ?? new TermRuns({ index: 0, term: 0 });
  if (chosen === undefined && runs.compacted.index > 0) {
    if (!(await snapshots.any())) {
      throw new PartGone(
        `all snapshots were gone, and the log before entry ${runs.compacted.index}`,
      );
    }
    throw storageFailed(
      `${directory.name}: the log begins after entry ${runs.compacted.index} and no snapshot of what was before can be read`,
      damaged[0],
    );
  }
  if (replay.hardState.commit > runs.last) {
    throw storageFailed(
      `${directory.name}: the log ends at entry ${runs.last} and entry ${replay.hardState.commit} was committed`,
    );
  }
  const from = Math.min(Math.max(runs.compacted.index, replay.keptAfter), chosen?.index ?? 0);
  runs.compact(from);
  const { compacted } = runs;
  const lastTerm = runs.termAt(runs.last) ?? compacted.term;
  const hardState = { ...replay.hardState };
  if (hardState.term < lastTerm) {
    // Entries arrived and the HardState of their write did not: nobody was told of either.
    hardState.term = lastTerm;
    hardState.vote = 0;
  }
  const last = { index: runs.last, term: lastTerm };
  const shape: LogShape = { hardState, compacted, last };
  await removeSpares(directory, path);
  if (read.spare !== undefined) await directory.remove(joinPath(path, segmentFile(read.spare)));
  const handle = await openEnd(setup, read);
  const named = replay.marks
    .filter(({ index }) => index > 0)
    .map(({ index, term, confState }) => ({ index, term, confState: confState ?? emptyConfState }));
  const mark = await openMark(directory, path, read.end);
  const log = new WalLog(setup, read, { shape, runs, named, handle, mark });
  const first = replay.entries[0]?.index ?? 0;
  const entries = first > compacted.index ? replay.entries : entriesAfter(replay, compacted.index);
  return { log, loaded: { hardState, snapshot: chosen, entries: loosened(entries), compacted } };
}

/** Entries are views of the segments they were read from: those of a segment that is mostly of no use are copied, so that it goes. */
function loosened(entries: readonly Entry[]): readonly Entry[] {
  const used = new Map<ArrayBufferLike, number>();
  for (let n = 0; n < entries.length; ) {
    const buffer = entries[n]?.data.buffer as ArrayBufferLike;
    let bytes = used.get(buffer) ?? 0;
    for (; entries[n]?.data.buffer === buffer; n++) {
      bytes += (entries[n]?.data.length ?? 0) + recordOverhead;
    }
    used.set(buffer, bytes);
  }
  const loose = new Set<ArrayBufferLike>();
  for (const [buffer, bytes] of used) if (bytes * 2 < buffer.byteLength) loose.add(buffer);
  if (loose.size === 0) return entries;
  return entries.map((entry) => {
    const { term, index, type, data, unknown } = entry;
    if (!loose.has(data.buffer)) return entry;
    return { term, index, type, data: data.slice(), unknown: unknown?.slice() };
  });
}

function entriesAfter({ entries }: Segments["replay"], index: Index): readonly Entry[] {
  return entries.filter((entry) => entry.index > index);
}

/** Opens the last segment for writing: nothing but zeros behind the end, and as long as a segment is. */
async function openEnd(
  { directory, path, limits }: WalSetup,
  read: Segments,
): Promise<DirectoryFile> {
  const last = read.segments[read.segments.length - 1];
  if (last === undefined) throw storageFailed(`${directory.name}: there is no log`);
  const file = joinPath(path, segmentFile(last));
  if (read.torn !== undefined) await cutOff(directory, file, read.end.offset);
  const handle = await directory.open(file, "existing");
  await handle.truncate(read.end.offset);
  await handle.truncate(Math.max(limits.segmentBytes, read.end.offset));
  await handle.sync();
  return handle;
}

/** The mark's file, made if need be; it says that everything up to `end` is on the disk. */
async function openMark(directory: Directory, path: string, end: Place): Promise<DirectoryFile> {
  const name = joinPath(path, markFile);
  const exists = (await directory.list(path)).includes(markFile);
  const file = await directory.open(name, exists ? "existing" : "create");
  await file.append(0, encodeMark(end));
  if (!exists) await directory.sync(path);
  return file;
}
