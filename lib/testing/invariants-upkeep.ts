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

/** I23: a leader believes nobody to hold more than it does. */
export function progressIsTrue(
  _ledger: Ledger,
  { id, raft }: Watched,
  durable: (id: NodeId) => Image | undefined,
): void {
  for (const { id: peer, progress } of raft.tracker.peers) {
    const { match, next } = progress;
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
  }
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

/**
 * I27: who comes to lead works by a configuration whose quorums meet those of every newer one that anybody works by, or that was committed,
 * before its term. (Who is elected late, in a term that is over, may work by one that is over too: it gets nothing committed.)
 */
export function leadersIntersect(
  ledger: Ledger,
  { id, raft }: Watched,
  others: Iterable<Watched>,
): void {
  const conf = confState(raft);
  for (const other of others) {
    if (other.raft.confIndex <= raft.confIndex || other.raft.term >= raft.term) continue;
    const theirs = confState(other.raft);
    demand(
      quorumsIntersect(conf, theirs),
      "I27",
      () =>
        `leader ${id} and node ${other.id}: ${describeConf(conf)} and ${describeConf(theirs)} have disjoint quorums`,
    );
  }
  const latest = ledger.confBefore(raft.term);
  if (sameConfState(conf, latest)) return;
  ledger.note("leader elected by an older configuration");
  demand(
    quorumsIntersect(conf, latest),
    "I27",
    () =>
      `leader ${id}: ${describeConf(conf)} and the committed ${describeConf(latest)} have disjoint quorums`,
  );
}

/**
 * I28: a leader's log holds at most one configuration change that it has not applied, and it proposes one only when everything that it
 * inherited is applied (so that what was open is committed, which only an entry of its own term can do).
 */
export function oneChangeAtATime(_ledger: Ledger, { id, raft }: Watched, write: Write): void {
  if (raft.role !== "leader" || !write.entries.some(({ type }) => type !== "EntryNormal")) return;
  let count = 0;
  for (let index = raft.log.applied + 1; index <= raft.log.lastIndex; index++) {
    if (raft.log.entry(index)?.type !== "EntryNormal") count++;
  }
  demand(count <= 1, "I28", () => `leader ${id} has ${count} changes under way`);
  const next = raft.log.term(raft.log.applied + 1);
  demand(
    next === undefined || next === raft.term,
    "I28",
    () =>
      `leader ${id} of term ${raft.term} proposes a change, and has an entry of term ${next} to apply`,
  );
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

// — what was acknowledged —

/** I14: what a node acknowledged is on its disk when it starts again, unless a leader has taken it back since. */
export function acknowledgedIsKept(ledger: Ledger, id: NodeId, flushed: Image): void {
  const { index, term } = ledger.promised(id).acknowledged;
  demand(
    index === 0 || flushed.holds(index, term),
    "I14",
    () =>
      `node ${id} acknowledged entry ${index} of term ${term}, its disk has ${flushed.term(index)} there and ends at ${flushed.lastIndex}`,
  );
}

/** I14: an acknowledgement leaves. */
export function acknowledges(
  ledger: Ledger,
  { id, flushed }: Watched,
  { type, reject, index }: Message,
): void {
  if (type !== "MsgAppResp" || reject) return;
  const promised = ledger.promised(id);
  const term = flushed.term(index);
  if (index <= promised.acknowledged.index || term === undefined) return;
  promised.acknowledged = { index, term };
}

/** I14: a write cuts the log: what was acknowledged from there on is taken back. */
export function takesBack(ledger: Ledger, id: NodeId, write: Write): void {
  const promised = ledger.promised(id);
  const first = write.entries[0]?.index;
  if (write.snapshot !== undefined) promised.acknowledged = { index: 0, term: 0 };
  else if (first !== undefined && first <= promised.acknowledged.index) {
    promised.acknowledged = { index: 0, term: 0 };
  }
}

/** I37: after its disk failed a node promises nothing more. A leader may send what it had ready, and name its successor (handing-over.ts). */
export function silentAfterFailure(id: NodeId, failed: boolean, type: Message["type"]): void {
  const needsNoDisk = type === "MsgApp" || type === "MsgTimeoutNow";
  demand(!failed || needsNoDisk, "I37", () => `node ${id} says ${type} after its disk failed`);
}
