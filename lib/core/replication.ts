/**
 * Replication: what a leader sends to its followers, and when it may call an entry committed.
 *
 * Dissertation §3.5 (log replication), §3.6.2 (committing entries of earlier terms), §5 (snapshots); compare etcd/raft raft.go
 * (maybeSendAppend, bcastAppend, maybeCommit).
 */
import { assert } from "../base/assert.js";
import { describeProgress, hexId } from "./describe.js";
import { payloadBytesOf } from "./entries.js";
import { appendMessage, heartbeatMessage, snapshotMessage } from "./messages.js";
import type { Progress } from "./progress.js";
import { post, type Raft, send, trace } from "./raft.js";
import type { Peer } from "./tracker.js";
import type { Entry, Index, Message, NodeId } from "./types.js";

const noEntries: readonly Entry[] = [];

/**
 * Sends the next entries to `to`, or a snapshot where they are compacted; false if nothing was sent, because the peer is
 * paused or, unless `sendIfEmpty`, there is nothing new for it.
 */
export function maybeSendAppend(
  raft: Raft,
  to: NodeId,
  progress: Progress,
  sendIfEmpty: boolean,
): boolean {
  if (progress.isPaused) return false;
  // While there is none to be had, appends go on: the peer may have given its wish up, and be needed for the quorum.
  if (progress.requestedSnapshot > 0 && maybeSendSnapshot(raft, to, progress)) return true;
  const { log } = raft;
  // By far the most frequent: asked after an acknowledgement whether there is more.
  if (!sendIfEmpty && progress.next > log.lastIndex) return false;
  const prevIndex = progress.next - 1;
  const prevTerm = log.term(prevIndex);
  if (prevTerm === undefined) return maybeSendSnapshot(raft, to, progress);
  // With a full window an empty append still goes out: its answer is what frees the window after a loss.
  const windowFull = progress.state === "replicate" && progress.inflights.full();
  const entries = windowFull
    ? noEntries
    : log.slice(progress.next, log.lastIndex + 1, raft.config.appendBytesMax);
  if (entries.length === 0 && !sendIfEmpty) return false;
  const joins = raft.batchAppends && progress.unsentRound === raft.round;
  if (!joins || !joinUnsent(raft, progress, prevIndex, entries)) {
    if (raft.batchAppends) nextMayBeJoined(raft, progress);
    const { id, term } = raft;
    post(raft, appendMessage(id, to, term, prevIndex, prevTerm, entries, log.committed));
  }
  progress.sentEntries(entries.length, payloadBytesOf(entries));
  progress.sentCommit = log.committed;
  return true;
}

/** The next message is an append to the peer, which more entries may join until it leaves. */
function nextMayBeJoined(raft: Raft, progress: Progress): void {
  progress.unsentAt = raft.messages.length;
  progress.unsentRound = raft.round;
  progress.unsentIsOwn = false;
}

/**
 * Adds `entries` to the append of this round, if they follow on it (raft-rs' batch_append). The message has not left and is still ours
 * alone, so it is written to; its list of entries is shared with the log's last slice until it is first added to.
 */
function joinUnsent(
  raft: Raft,
  progress: Progress,
  prevIndex: Index,
  entries: readonly Entry[],
): boolean {
  const message = raft.messages[progress.unsentAt] as Unsent;
  if (entries.length > 0) {
    if (message.index + message.entries.length !== prevIndex) return false;
    if (!progress.unsentIsOwn) {
      message.entries = [...message.entries];
      progress.unsentIsOwn = true;
    }
    for (let i = 0; i < entries.length; i++) message.entries.push(entries[i] as Entry);
  }
  message.commit = raft.log.committed;
  return true;
}

interface Unsent extends Omit<Message, "entries" | "commit"> {
  entries: Entry[];
  commit: Index;
}

/** A snapshot in place of entries that are compacted (§5). Only to a peer that answers: it is dear. */
function maybeSendSnapshot(raft: Raft, to: NodeId, progress: Progress): boolean {
  if (!progress.recentActive) {
    raft.say(
      "debug",
      () => `ignore sending snapshot to ${hexId(to)} since it is not recently active`,
    );
    return false;
  }
  const atLeast = Math.max(raft.log.firstIndex - 1, progress.requestedSnapshot);
  const snapshot = raft.log.snapshot ?? raft.config.snapshot(to, atLeast);
  if (snapshot === undefined || snapshot.metadata.index < progress.requestedSnapshot) {
    raft.say(
      "debug",
      () =>
        `${hexId(raft.id)} failed to send snapshot to ${hexId(to)} because snapshot is temporarily unavailable`,
    );
    return false;
  }
  const { index, term } = snapshot.metadata;
  assert(index > 0, "need non-empty snapshot", { to });
  raft.say(
    "debug",
    () =>
      `${hexId(raft.id)} [firstindex: ${raft.log.firstIndex}, commit: ${raft.log.committed}] sent snapshot` +
      `[index: ${index}, term: ${term}] to ${hexId(to)} [${describeProgress(progress)}]`,
  );
  progress.becomeSnapshot(index);
  progress.requestedSnapshot = 0;
  raft.say(
    "debug",
    () =>
      `${hexId(raft.id)} paused sending replication messages to ${hexId(to)} [${describeProgress(progress)}]`,
  );
  send(raft, snapshotMessage({ from: raft.id, to, term: raft.term, snapshot }));
  return true;
}

/** To everybody but ourselves, ascending. */
export function broadcastAppend(raft: Raft): void {
  const { peers } = raft.tracker;
  for (let i = 0; i < peers.length; i++) {
    const { id, progress } = peers[i] as Peer;
    if (id !== raft.id) maybeSendAppend(raft, id, progress, true);
  }
}

/** Carries at most the commit index the follower has acknowledged: beyond it, its log may be another's. */
export function broadcastHeartbeat(raft: Raft): void {
  const context = raft.reads.context();
  for (const { id, progress } of raft.tracker.peers) {
    if (id === raft.id) continue;
    const commit = Math.min(progress.match, raft.log.committed);
    send(raft, heartbeatMessage({ from: raft.id, to: id, term: raft.term, commit, context }));
    progress.sentCommit = commit;
  }
}

/**
 * Moves the commit index to what a quorum holds; true if it moved.
 *
 * @param acknowledged  what is new is one acknowledgement, up to here: it moves nothing that is committed already
 */
export function maybeCommit(raft: Raft, acknowledged: Index = Number.POSITIVE_INFINITY): boolean {
  const { log } = raft;
  // Counting replicas commits only the leader's own term; earlier entries follow with it (§3.6.2, figure 3.7).
  const moved =
    acknowledged > log.committed && log.maybeCommit(raft.tracker.committedIndex(), raft.term);
  if (raft.config.trace !== undefined) trace(raft, "Commit");
  return moved;
}

/** The commit index has moved: followers hear of it now, unless they were to wait for the next append or heartbeat. */
export function announceCommit(raft: Raft): void {
  if (!raft.skipBroadcastCommit || raft.pendingConfIndex > raft.log.applied) broadcastAppend(raft);
}

/** True once an entry of our own term is committed: only then do we know what is committed (§6.4). */
export function hasCommittedInTerm(raft: Raft): boolean {
  return raft.log.term(raft.log.committed) === raft.term;
}
