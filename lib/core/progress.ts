/**
 * Progress: what a leader knows of one peer's log.
 *
 * Probe sends one append per heartbeat until the logs meet; Replicate keeps a window in flight, advancing `next`
 * optimistically; Snapshot waits until a snapshot has bridged the gap. Dissertation §3.5 (matching), §10.2.2 (pipelining);
 * compare etcd/raft tracker/progress.go and its design.md.
 *
 * Invariant: match < next.  Not here: deciding when to send (replication.ts).
 */
import type { Inflights } from "./inflights.js";
import type { Index } from "./types.js";

export type ProgressState = "probe" | "replicate" | "snapshot";

export class Progress {
  /** Highest index known to be durable on the peer and equal to ours. */
  match: Index;
  /** First index of the next append. */
  next: Index;
  /** Highest commit index sent to the peer that it could take over at once; saves sending commits that teach it nothing. */
  sentCommit: Index = 0;
  state: ProgressState = "probe";
  /** In Snapshot: the index of the snapshot under way; 0 otherwise. */
  pendingSnapshot: Index = 0;
  /** Heard from since the last CheckQuorum. */
  recentActive = false;
  /** No more appends until an acknowledgement or a heartbeat response. */
  paused = false;
  inflights: Inflights;
  isLearner: boolean;
  /** The peer's own commit index, as it last reported it (raft-rs' committed_index). */
  commit: Index = 0;
  /** The peer has asked for a snapshot at least this new; 0 = it has not. */
  requestedSnapshot: Index = 0;
  /** With `batchAppends`: where in `Raft.messages` the last append to the peer stands, while `unsentRound` is `Raft.round`. */
  unsentAt = 0;
  unsentRound = -1;
  /** That append has a list of entries of its own by now. */
  unsentIsOwn = false;
  /** For group commit; 0 = not assigned. Memory only. */
  commitGroup = 0;

  constructor(next: Index, inflights: Inflights, isLearner: boolean) {
    this.match = 0;
    this.next = next;
    this.inflights = inflights;
    this.isLearner = isLearner;
  }

  /** A copy for a configuration under construction; the window is shared, since at most one of the two survives. */
  copy(): Progress {
    const copy = new Progress(this.next, this.inflights, this.isLearner);
    copy.match = this.match;
    copy.sentCommit = this.sentCommit;
    copy.state = this.state;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.recentActive = this.recentActive;
    copy.paused = this.paused;
    copy.commit = this.commit;
    copy.requestedSnapshot = this.requestedSnapshot;
    copy.commitGroup = this.commitGroup;
    return copy;
  }

  /** A new term: nothing is known but who the peer is. */
  reset(next: Index): void {
    this.match = 0;
    this.next = next;
    this.sentCommit = 0;
    this.recentActive = false;
    this.requestedSnapshot = 0;
    this.#enter("probe");
  }

  #enter(state: ProgressState): void {
    this.paused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.clear();
  }

  becomeProbe(): void {
    // After a snapshot the peer holds at least what the snapshot held, even if its acknowledgement got lost.
    const known = this.state === "snapshot" ? this.pendingSnapshot : 0;
    this.#enter("probe");
    this.next = Math.max(this.match, known) + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(index: Index): void {
    this.#enter("snapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  get isPaused(): boolean {
    return this.state === "snapshot" || this.paused;
  }

  /** An append of `count` entries and `bytes` of payload has been sent. Never in Snapshot. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === "replicate") {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      this.paused = this.inflights.full();
    } else if (count > 0) {
      this.paused = true;
    }
  }

  /** True if telling the peer of `commit` could move its commit index. */
  canBumpCommit(commit: Index): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** The peer holds everything up to `index`; false if that was known. */
  maybeUpdate(index: Index): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.paused = false;
    return true;
  }

  /**
   * The peer refused an append that followed `rejected`, and `hint` is where the logs may meet. False if the refusal is stale:
   * in Replicate when `rejected` has matched since; in Probe when it is not the probe now in flight.
   */
  maybeDecrease(rejected: Index, hint: Index): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.paused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }
}
