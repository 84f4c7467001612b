/**
 * A log in segments: appending with one flush for all that waits, cutting, repairing and releasing.
 *
 * What is queued while a flush is under way goes into the next one (group commit). Every write is records in etcd's order:
 * the snapshot, the entries, the HardState. A commit index alone is kept in memory for the next write. After a flush the
 * those who wait are told, and the place is noted (synced-mark.ts).
 *
 * A write that reaches beyond what the disk has allocated takes zeros along, `zerosAhead` of them: until they are used up a flush has no
 * change of the file system's own tables to wait for. They are what a hole reads as, so a crash cannot tell, nor does it matter when they get
 * to the disk.
 *
 * A failure ends the log: nothing is written again. Compare etcd server/storage/wal/wal.go.
 */
import { assert } from "../base/assert.js";
import { isLogboomError } from "../base/errors.js";
import type { HardState, Index, SnapshotMetadata } from "../core/types.js";
import { type Directory, type DirectoryFile, joinPath } from "./directory.js";
import { type Lifeline, storageFailed, takenOver } from "./lifeline.js";
import { afterWrite, type LogShape, planCompaction, storedState } from "./log-shape.js";
import { SegmentSupply } from "./segment-supply.js";
import { noBody, wrongTerm } from "./snapshot-names.js";
import type { StorageWrite, StoredState } from "./storage.js";
import { encodeMark } from "./synced-mark.js";
import { TermRuns } from "./term-runs.js";
import { segmentFile } from "./wal.js";
import type { Segment, Segments } from "./wal-files.js";
import type { Place } from "./wal-replay.js";
import type { WalSnapshots } from "./wal-snapshots.js";
import { WalWriter } from "./wal-writer.js";

export interface WalLimits {
  /** A segment is cut once it has as many bytes: the file is that long from the beginning. */
  readonly segmentBytes: number;
  /** Segments kept although nothing in them is needed, newest first. etcd's default is 5 in all. */
  readonly segmentsKept: number;
}

/** The segment that is written. */
interface OpenSegment {
  handle: DirectoryFile;
  sequence: number;
  /** Where the data end. */
  offset: number;
  /** The file's blocks up to here are known to be on the disk. */
  allocated: number;
}

interface Task {
  /** Files that must be there before the records that name them. */
  prepare?: () => Promise<void>;
  encode(writer: WalWriter): void;
  /** The log once this is written. */
  readonly after: LogShape;
  /** What a crash within it may leave, in order. */
  states(): readonly StoredState[];
  /** Entries up to here are not needed any more. */
  readonly release?: Index;
  done(): void;
  failed(error: unknown): void;
}

export interface WalSetup {
  readonly directory: Directory;
  readonly path: string;
  readonly lifeline: Lifeline;
  readonly snapshots: WalSnapshots;
  readonly limits: WalLimits;
  readonly metadata: Uint8Array;
}

/** Bytes written as zeros behind the data at a time. Measured: see docs/LIMITS.md. */
const zerosAhead = 512 * 1024;

export class WalLog {
  /** Once everything queued is written, and with the commit index that waits. */
  shape: LogShape;
  /** Snapshots that the log's records name. */
  named: readonly SnapshotMetadata[];
  /** As far as it is written. */
  private written: LogShape;
  private readonly setup: WalSetup;
  private readonly file: OpenSegment;
  private readonly mark: DirectoryFile;
  private readonly writer: WalWriter;
  private readonly supply: SegmentSupply;
  private segments: readonly Segment[];
  private runs: TermRuns;
  private queue: Task[] = [];
  private running: Promise<void> | undefined;
  /** Flushed up to here, and the mark does not say so yet. */
  private unnoted: Place | undefined;
  private commitWaits = false;
  private acked: StoredState;
  private unanswered: Task[] = [];
  /** What is being done to the files, also after the lifeline broke. */
  private working: Promise<unknown> = Promise.resolve();
  private retiring: Promise<unknown> = Promise.resolve();

  constructor(
    setup: WalSetup,
    read: Segments,
    opened: {
      readonly shape: LogShape;
      readonly runs: TermRuns;
      readonly named: readonly SnapshotMetadata[];
      readonly handle: DirectoryFile;
      readonly mark: DirectoryFile;
    },
  ) {
    this.setup = setup;
    this.shape = this.written = opened.shape;
    this.runs = opened.runs;
    this.named = opened.named;
    this.mark = opened.mark;
    const { sequence, offset } = read.end;
    this.file = { handle: opened.handle, sequence, offset, allocated: offset };
    this.writer = new WalWriter(read.crc);
    this.segments = read.segments;
    const { directory, path, limits } = setup;
    this.supply = new SegmentSupply({ directory, path, segmentBytes: limits.segmentBytes });
    this.acked = storedState(opened.shape);
  }

  /** What may be found on the disk: the acknowledged state, or one that a write under way leaves. */
  states(): readonly StoredState[] {
    return [this.acked, ...this.unanswered.flatMap((task) => task.states())];
  }

  async append(write: StorageWrite): Promise<void> {
    const { snapshots } = this.setup;
    const before = this.shape;
    const after = afterWrite(before, write);
    const { snapshot, entries } = write;
    const inline = snapshot !== undefined && snapshot.data.length > 0;
    if (snapshot !== undefined && !inline && !snapshots.has(snapshot.metadata)) {
      throw noBody(snapshot.metadata);
    }
    const content = snapshot !== undefined || entries.length > 0;
    if (!write.sync && !content && !binds(before.hardState, after.hardState)) {
      this.shape = after;
      this.commitWaits = true;
      await this.running;
      this.setup.lifeline.check();
      return;
    }
    if (snapshot !== undefined) {
      this.runs = new TermRuns(after.compacted);
      this.name(snapshot.metadata);
    }
    for (const { index, term } of entries) this.runs.set(index, term);
    const state =
      write.hardState !== undefined || snapshot !== undefined || this.commitWaits
        ? after.hardState
        : undefined;
    this.shape = after;
    this.commitWaits = false;
    await this.run({
      ...(inline ? { prepare: () => snapshots.put(snapshot.metadata, snapshot.data) } : {}),
      encode(writer) {
        if (snapshot !== undefined) writer.snapshot(snapshot.metadata);
        for (const entry of entries) writer.entry(entry);
        if (state !== undefined) writer.state(state);
      },
      after,
      states: () => [...prefixStates(before, write), storedState(after)],
      ...(snapshot === undefined ? {} : { release: snapshot.metadata.index }),
    });
  }

  async compact(snapshot: SnapshotMetadata, upTo: Index): Promise<void> {
    const plan = planCompaction(this.shape, snapshot, upTo);
    if (!this.setup.snapshots.has(snapshot)) throw noBody(snapshot);
    const term = this.runs.termAt(snapshot.index);
    if (term !== undefined && term !== snapshot.term) throw wrongTerm(snapshot, term);
    this.runs.compact(plan.upTo);
    const { hardState } = this.shape;
    const state = { ...hardState, commit: Math.max(hardState.commit, plan.commit) };
    const after = { ...this.shape, hardState: state, compacted: this.runs.compacted };
    this.shape = after;
    this.name(snapshot);
    this.commitWaits = false;
    await this.run({
      encode(writer) {
        writer.snapshot(snapshot);
        writer.state(state);
      },
      after,
      states: () => [storedState(after)],
      release: plan.upTo,
    });
  }

  /** Waits for what is queued, writes a commit index that waits, and closes the files. */
  async close(): Promise<void> {
    if (this.commitWaits && !this.setup.lifeline.broken) {
      const after = this.shape;
      this.commitWaits = false;
      await this.run({
        encode: (writer) => writer.state(after.hardState),
        after,
        states: () => [storedState(after)],
      });
    }
    await this.running;
    // A file that is still written must not be closed: its number may be another file's the next moment.
    await this.working.catch(() => {});
    await this.retiring;
    this.note();
    await this.supply.close();
    await this.file.handle.close();
    await this.mark.close();
  }

  /** Of those that are older, names are kept while there is a body. */
  private name(snapshot: SnapshotMetadata): void {
    const { snapshots } = this.setup;
    const kept = this.named.filter((one) => one.index >= snapshot.index || snapshots.has(one));
    this.named = [...kept, snapshot];
  }

  private run(task: Omit<Task, "done" | "failed">): Promise<void> {
    return new Promise((done, failed) => {
      const queued = { ...task, done, failed };
      this.unanswered.push(queued);
      this.queue.push(queued);
      this.running ??= this.drain();
    });
  }

  private async drain(): Promise<void> {
    const { lifeline, directory, limits } = this.setup;
    while (this.queue.length > 0) {
      const tasks = this.queue;
      this.queue = [];
      try {
        await this.guarded(this.write(tasks));
        this.acked = storedState(this.written);
        this.unanswered.splice(0, tasks.length);
        for (const { done } of tasks) done();
        this.noteSoon();
        const { offset, sequence } = this.file;
        if (offset >= limits.segmentBytes) await this.guarded(this.cut());
        else if (offset * 2 >= limits.segmentBytes) this.supply.prepare(sequence + 1);
        for (const { release } of tasks) if (release !== undefined) await this.release(release);
      } catch (error) {
        const known = isLogboomError(error)
          ? error
          : storageFailed(`${directory.name}: writing failed`, error);
        lifeline.fail(known);
        // Those that were answered already take no notice.
        for (const { failed } of [...tasks, ...this.queue]) failed(known);
        this.queue = [];
      }
    }
    // Here and not in a `finally`: who queues right after the last answer must not find a loop that has ended already.
    this.running = undefined;
  }

  private guarded(work: Promise<void>): Promise<void> {
    this.working = work;
    return this.setup.lifeline.guard(work);
  }

  private async write(tasks: readonly Task[]): Promise<void> {
    const { file, writer } = this;
    for (const task of tasks) {
      if (task.prepare !== undefined) await task.prepare();
      task.encode(writer);
    }
    const end = file.offset + writer.pending;
    const zeros = end > file.allocated ? this.zerosBehind(end) : 0;
    const bytes = writer.take();
    this.checkOwned();
    await file.handle.append(file.offset, bytes, zeros);
    this.checkOwned();
    file.offset = end;
    file.allocated = Math.max(file.allocated, end + zeros);
    this.written = tasks[tasks.length - 1]?.after ?? this.written;
  }

  /** How many zeros to write behind data that end at `end`: never beyond the segment's length. */
  private zerosBehind(end: number): number {
    return Math.min(zerosAhead, Math.max(0, this.setup.limits.segmentBytes - end));
  }

  private noteSoon(): void {
    if (this.unnoted === undefined) this.setup.directory.soon(() => this.note());
    this.unnoted = { sequence: this.file.sequence, offset: this.file.offset };
  }

  /** Writes the mark, unless the log is another owner's by now: it would speak of what that one may have cut off. */
  private note(): void {
    const { unnoted } = this;
    const { directory, lifeline } = this.setup;
    this.unnoted = undefined;
    // Also when a later write has failed: what was flushed before it was flushed.
    if (unnoted === undefined || !directory.owned()) return;
    try {
      this.mark.note(0, encodeMark(unnoted));
    } catch (error) {
      lifeline.fail(storageFailed(`${directory.name}: writing failed`, error));
    }
  }

  private checkOwned(): void {
    const { directory } = this.setup;
    if (!directory.owned()) throw takenOver(directory.name);
  }

  /** Begins the next segment. */
  private async cut(): Promise<void> {
    const { metadata, directory } = this.setup;
    const { file, writer } = this;
    this.checkOwned();
    const full = { ...file };
    const { hardState, last } = this.written;
    const sequence = file.sequence + 1;
    const first = last.index + 1;
    writer.crcHandOver();
    writer.metadata(metadata);
    if (hardState.term > 0 || hardState.commit > 0) writer.state(hardState);
    if (directory.slowRename === true) {
      // It has its name already: its header goes along with what is written first, and it is begun when that is flushed.
      file.handle = await this.supply.takeNamed(sequence);
      file.offset = 0;
      this.segments = [...this.segments, { sequence, index: undefined, first }];
    } else {
      const header = writer.take();
      file.handle = await this.supply.take({ sequence, index: first }, header);
      file.offset = header.length;
      this.segments = [...this.segments, { sequence, index: first, first }];
    }
    file.sequence = sequence;
    file.allocated = file.offset;
    if (file.offset > 0) this.noteSoon();
    this.retire(full);
  }

  /**
   * Closes a full segment; nobody waits for it. It ends where its data end: a file is as long as a segment, and these reach to there
   * or beyond.
   */
  private retire({ handle, offset }: OpenSegment): void {
    const { lifeline, directory, limits } = this.setup;
    assert(offset >= limits.segmentBytes, "a segment is not full", { offset });
    const failed = (error: unknown): void => {
      lifeline.fail(storageFailed(`${directory.name}: closing failed`, error));
    };
    this.retiring = Promise.all([this.retiring, handle.close().catch(failed)]);
  }

  /** Deletes segments whose entries end at or below `upTo`, oldest first, except the newest `segmentsKept`. */
  private async release(upTo: Index): Promise<void> {
    const { directory, path, limits } = this.setup;
    const at = this.segments.findIndex(({ first }) => first >= upTo);
    // The one before it may hold `upTo` itself.
    const free = (at === -1 ? this.segments.length : at) - 1;
    const surplus = Math.min(free, this.segments.length - limits.segmentsKept);
    // Browsers delete no file that is open.
    if (surplus > 0) await this.retiring;
    for (let n = 0; n < surplus; n++) {
      const [oldest] = this.segments;
      if (oldest === undefined) return;
      // After an answer was given a new owner may have come: its segments are not ours to delete.
      if (!directory.owned()) throw takenOver(directory.name);
      this.segments = this.segments.slice(1);
      await directory.remove(joinPath(path, segmentFile(oldest)));
      // One by one and in order, so that a crash leaves no gap.
      await directory.sync(path);
    }
  }
}

/** Term or vote moved: a crash must not take that back. */
function binds(before: HardState, after: HardState): boolean {
  return before.term !== after.term || before.vote !== after.vote;
}

/** What a crash within a write may leave: its first entries. A write with a snapshot lands whole. */
export function prefixStates({ hardState }: LogShape, write: StorageWrite): StoredState[] {
  if (write.snapshot !== undefined) return [];
  return write.entries.map(({ index, term }) => ({
    term: Math.max(hardState.term, term),
    vote: term > hardState.term ? 0 : hardState.vote,
    lastIndex: index,
    lastTerm: term,
  }));
}
