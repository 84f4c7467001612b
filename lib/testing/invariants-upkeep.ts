/**
 * The invariants, continued: what a leader keeps of others, membership, snapshots, reads, resources; and the list of those that are not
 * checked in the simulator, with the reason.
 */
import { decodeConfChange } from "../core/confchange-codec.js";
import { confState } from "../core/raft.js";
import type {
  ConfState,
  Entry,
  Index,
  Message,
  NodeId,
  SnapshotMetadata,
  Write,
} from "../core/types.js";
import { describeConf, quorumsIntersect, sameConfState } from "./conf-model.js";
import type { Ledger } from "./ledger.js";
import type { Image } from "./record-disk.js";
import { demand, type Watched } from "./violation.js";

// — bookkeeping —

/** I23: a leader believes nobody to hold more than it does. I24: windows are empty where nothing is in flight. */
export function progressIsTrue(
  _ledger: Ledger,
  { id, raft }: Watched,
  durable: (id: NodeId) => Image | undefined,
): void {
  for (const { id: peer, progress } of raft.tracker.peers) {
    const { match, next, state, inflights } = progress;
    demand(match < next, "I23", () => `leader ${id}: match ${match}, next ${next} of ${peer}`);
    const image = durable(peer);
    const term = raft.log.term(match);
    if (
      image !== undefined &&
      match > 0 &&
      image.hardState.term <= raft.term &&
      term !== undefined
    ) {
      demand(
        image.holds(match, term),
        "I23",
        () => `leader ${id}: match ${match} of ${peer}, whose disk does not hold that entry`,
      );
    }
    const idle = inflights.count === 0;
    demand(
      state === "replicate" || idle,
      "I24",
      () => `leader ${id}: ${inflights.count} in flight to ${peer} in ${state}`,
    );
    demand(
      !idle || inflights.bytes === 0,
      "I24",
      () => `leader ${id}: ${inflights.bytes} bytes of nothing in flight to ${peer}`,
    );
  }
}

/** I25: nothing is uncommitted once everything is applied. */
export function uncommittedIsTrue(_ledger: Ledger, { id, raft }: Watched): void {
  const { log, uncommittedBytes } = raft;
  demand(
    log.applied < log.lastIndex || uncommittedBytes === 0,
    "I25",
    () => `leader ${id}: ${uncommittedBytes} uncommitted bytes of no entry`,
  );
  demand(uncommittedBytes >= 0, "I25", () => `leader ${id}: ${uncommittedBytes} uncommitted bytes`);
}

/** I26: an append is contiguous and starts where it says. */
export function appendIsContiguous(_ledger: Ledger, { id, raft }: Watched, message: Message): void {
  const { index, logTerm, entries } = message;
  const prevTerm = raft.log.term(index);
  demand(
    prevTerm === undefined || prevTerm === logTerm,
    "I26",
    () => `node ${id} says ${index} is of term ${logTerm}, it is of ${prevTerm}`,
  );
  entries.forEach((entry, i) => {
    demand(
      entry.index === index + 1 + i,
      "I26",
      () => `node ${id} sends ${entry.index} after ${index + i}`,
    );
  });
}

// — membership —

/** I27: every quorum of a configuration meets every quorum of the next. */
export function neighboursIntersect(ledger: Ledger, before: ConfState): void {
  const after = ledger.latestConf;
  demand(
    quorumsIntersect(before, after),
    "I27",
    () => `${describeConf(before)} and ${describeConf(after)} have disjoint quorums`,
  );
}

/** I27: who comes to lead works by a configuration whose quorums meet those of the newest and of every other leader's. */
export function leadersIntersect(
  ledger: Ledger,
  { id, raft }: Watched,
  others: Iterable<Watched>,
): void {
  const conf = confState(raft);
  for (const other of others) {
    if (other.id === id || other.raft.role !== "leader") continue;
    const theirs = confState(other.raft);
    if (sameConfState(conf, theirs)) continue;
    demand(
      quorumsIntersect(conf, theirs),
      "I27",
      () =>
        `leaders ${id} and ${other.id}: ${describeConf(conf)} and ${describeConf(theirs)} have disjoint quorums`,
    );
  }
  const latest = ledger.latestConf;
  if (sameConfState(conf, latest)) return;
  ledger.note("leader elected by an older configuration");
  demand(
    quorumsIntersect(conf, latest),
    "I27",
    () =>
      `leader ${id}: ${describeConf(conf)} and the committed ${describeConf(latest)} have disjoint quorums`,
  );
}

/** I28: a leader's log holds at most one configuration change that it has not applied. */
export function oneChangeAtATime(_ledger: Ledger, { id, raft }: Watched, write: Write): void {
  if (raft.role !== "leader" || !write.entries.some(({ type }) => type !== "EntryNormal")) return;
  let count = 0;
  for (let index = raft.log.applied + 1; index <= raft.log.lastIndex; index++) {
    if (raft.log.entry(index)?.type !== "EntryNormal") count++;
  }
  demand(count <= 1, "I28", () => `leader ${id} has ${count} changes under way`);
}

/** I29: the effective configuration is what the committed entries up to there make. I31: joint only by an entry that says so. */
export function configurationIsTrue(ledger: Ledger, { id, raft }: Watched): void {
  const expected = ledger.confAt(raft.confIndex);
  const actual = confState(raft);
  if (raft.confIndex < ledger.base.index) return;
  demand(
    sameConfState(expected, actual),
    "I29",
    () =>
      `node ${id} works by ${describeConf(actual)} at ${raft.confIndex}, which is ${describeConf(expected)}`,
  );
}

/** I31: a joint configuration is left once. */
export function leavesJointOnce(ledger: Ledger, entry: Entry): void {
  if (entry.type === "EntryNormal") return;
  const change = decodeConfChange(entry);
  if (change.changes.length > 0 || change.transition !== "auto") return;
  const before = ledger.confAt(entry.index - 1);
  demand(
    before.votersOutgoing.length > 0,
    "I31",
    () => `entry ${entry.index} leaves a configuration that is not joint`,
  );
}

// — snapshots —

/** I33: a snapshot stands at an applied index and names its entry. I30: and the configuration as of there. */
export function snapshotIsTrue(
  ledger: Ledger,
  id: NodeId,
  { index, term, confState: conf }: SnapshotMetadata,
  applied: Index,
): void {
  demand(
    index <= applied,
    "I33",
    () => `node ${id} made a snapshot at ${index} having applied ${applied}`,
  );
  demand(
    ledger.termAt(index) === term,
    "I33",
    () =>
      `node ${id}: a snapshot says ${index} is of term ${term}, it is of ${ledger.termAt(index)}`,
  );
  const expected = ledger.confAt(index);
  demand(
    sameConfState(expected, conf),
    "I30",
    () =>
      `node ${id}: a snapshot at ${index} says ${describeConf(conf)}, it is ${describeConf(expected)}`,
  );
}

/** I34: a log is forgotten only below a durable snapshot. */
export function compactedIsCovered(id: NodeId, upTo: Index, flushed: Image): void {
  const covered = flushed.snapshot?.metadata.index ?? 0;
  demand(
    upTo <= covered,
    "I34",
    () => `node ${id} forgets its log up to ${upTo}, its snapshot on disk is at ${covered}`,
  );
}

/** I35: installing a snapshot takes nothing back. */
export function installMovesForward(id: NodeId, applied: Index, { index }: SnapshotMetadata): void {
  demand(
    index >= applied,
    "I35",
    () => `node ${id} had applied ${applied} and installs a snapshot of ${index}`,
  );
}

// — reads and resources —

/** I38: a linearizable read sees everything that anybody was told before it began. */
export function readIsFresh(id: NodeId, servedAt: Index, acknowledgedBefore: Index): void {
  demand(
    servedAt >= acknowledgedBefore,
    "I38",
    () =>
      `node ${id} served a read at ${servedAt}, ${acknowledgedBefore} was acknowledged before it began`,
  );
}

/** I40: queues stay within their bounds. */
export function withinBounds(_ledger: Ledger, { id, raft }: Watched): void {
  const { readsMax } = raft.config;
  demand(
    raft.reads.waiting <= readsMax && raft.forwardedReads.length <= readsMax,
    "I40",
    () => `node ${id}: more than ${readsMax} reads wait`,
  );
}

// Of the invariants I1–I40 these are not checked here:
// I14: the simulator's disks forget nothing that was flushed; the real WAL is held to it by wal-torture.ts
// I21: the machine's state is in memory only and rebuilt from a snapshot and the log, so there is no second index to persist
// I32: that an id is never used again is the room's rule (tests/room/members.test.ts), not the core's; the simulator never re-uses one
// I36: bytes on disks: wal-torture.ts
// I39: authenticated channels: tests/security
