/**
 * The invariants: what holds after every event, whatever network, disks and clocks do. One named function each.
 *
 * The dissertation's figure 3.2 (Election Safety, Leader Append-Only, Log Matching, Leader Completeness, State Machine Safety), and what
 * years of bugs in other implementations have added. The checks are called where what they speak of can change: a
 * check costs a comparison unless there is news.
 *
 * Not here: histories of clients (history.ts, linearizability.ts), liveness (liveness.ts); the others are in invariants-upkeep.ts.
 */
import { equalBytes } from "../base/bytes.js";
import type { Raft } from "../core/raft.js";
import { confState } from "../core/raft.js";
import type { Entry, Index, Message, NodeId, Term, Write } from "../core/types.js";
import { describeConf, isQuorum } from "./conf-model.js";
import { neighboursIntersect } from "./invariants-upkeep.js";
import type { Ledger } from "./ledger.js";
import type { Image } from "./record-disk.js";
import { demand, Violation, type Watched } from "./violation.js";

// — elections and terms —

/** I1: at most one leader in a term, over the whole history. */
export function electionSafety(ledger: Ledger, { id, raft }: Watched): void {
  const known = ledger.leaders.get(raft.term);
  demand(
    known === undefined || known === id,
    "I1",
    () => `${known} and ${id} lead term ${raft.term}`,
  );
  ledger.leaders.set(raft.term, id);
}

/** I2: a term never goes back: not in one life, and not behind what was said in an earlier one. */
export function termsOnlyGrow(ledger: Ledger, { id, raft, seen }: Watched): void {
  demand(
    raft.term >= seen.term,
    "I2",
    () => `node ${id} went from term ${seen.term} to ${raft.term}`,
  );
  const promised = ledger.promised(id).term;
  demand(
    raft.term >= promised,
    "I2",
    () => `node ${id} is in term ${raft.term} after saying ${promised}`,
  );
}

/** I3: nobody votes for two candidates in one term, across restarts. */
export function oneVotePerTerm(ledger: Ledger, voter: NodeId, term: Term, candidate: NodeId): void {
  const { votes } = ledger.promised(voter);
  const before = votes.get(term);
  demand(
    before === undefined || before === candidate,
    "I3",
    () => `node ${voter} voted for ${before} and ${candidate} in term ${term}`,
  );
  votes.set(term, candidate);
  ledger.grant(term, candidate, voter);
}

/** I4: what a message promises (a term, a vote, an acknowledged entry) was durable when it was sent. */
export function saidIsDurable(ledger: Ledger, { id, flushed }: Watched, message: Message): void {
  const { type, term, to, index, reject } = message;
  const { hardState } = flushed;
  if (type === "MsgVoteResp" && !reject) {
    const kept = hardState.term > term || (hardState.term === term && hardState.vote === to);
    demand(
      kept,
      "I4",
      () =>
        `node ${id} sent its vote for ${to} in term ${term}, its disk says ${hardState.vote} in ${hardState.term}`,
    );
    oneVotePerTerm(ledger, id, term, to);
  } else if (type === "MsgVote") {
    const kept = hardState.term > term || (hardState.term === term && hardState.vote === id);
    demand(
      kept,
      "I4",
      () => `node ${id} asked for votes in term ${term}, its disk is in ${hardState.term}`,
    );
    oneVotePerTerm(ledger, id, term, id);
  } else if (type === "MsgAppResp" && !reject) {
    demand(
      hardState.term >= term,
      "I4",
      () => `node ${id} acknowledged in term ${term}, its disk is in ${hardState.term}`,
    );
    const kept = hardState.term > term || flushed.lastIndex >= index;
    demand(
      kept,
      "I4",
      () => `node ${id} acknowledged ${index}, its disk ends at ${flushed.lastIndex}`,
    );
  } else if (type === "MsgApp" || type === "MsgHeartbeat" || type === "MsgSnap") {
    demand(
      hardState.term >= term,
      "I4",
      () => `node ${id} leads term ${term}, its disk is in ${hardState.term}`,
    );
  } else return;
  const promised = ledger.promised(id);
  promised.term = Math.max(promised.term, term);
}

/** I5: who leads had votes of a quorum of the configuration it works by, counted by voter. */
export function electedByQuorum(ledger: Ledger, { id, raft, flushed }: Watched): void {
  const votes = ledger.grants.get(raft.term)?.get(id);
  const { hardState } = flushed;
  const own = hardState.term === raft.term && hardState.vote === id;
  const has = (voter: NodeId): boolean => (voter === id ? own : votes?.has(voter) === true);
  const conf = confState(raft);
  demand(
    isQuorum(conf, has),
    "I5",
    () =>
      `node ${id} leads term ${raft.term} of ${describeConf(conf)} with votes of ${[...(votes ?? [])].join()}`,
  );
}

/** I6: a request for a pre-vote moves neither term nor vote nor the voter's timer. */
export function preVoteBindsNobody(before: readonly number[], raft: Raft): void {
  const after = preVoteState(raft);
  demand(
    before.every((value, i) => value === after[i]),
    "I6",
    () =>
      `a pre-vote moved (term, vote, timer) of ${raft.id} from ${before.join()} to ${after.join()}`,
  );
}

export function preVoteState(raft: Raft): readonly number[] {
  return [raft.term, raft.vote, raft.electionElapsed];
}

/** I7: learners, the removed and strangers never come to lead. */
export function onlyVotersLead(_ledger: Ledger, { id, raft }: Watched): void {
  demand(
    raft.tracker.isVoter(id),
    "I7",
    () => `node ${id} leads and is no voter of ${describeConf(confState(raft))}`,
  );
}

// — logs —

/** I8: one (index, term), one entry and one entry before it; so by induction one prefix. I10, I11: terms and indexes in order. */
export function logMatching(ledger: Ledger, { id, raft, handed }: Watched, write: Write): void {
  const first = write.entries[0];
  if (first === undefined) return;
  const before = write.snapshot?.metadata.index ?? handed;
  demand(
    first.index <= before + 1,
    "I11",
    () => `node ${id} writes ${first.index} after ${before}`,
  );
  let prevTerm = raft.log.term(first.index - 1) ?? 0;
  let index = first.index;
  for (const entry of write.entries) {
    demand(entry.index === index++, "I11", () => `node ${id} writes ${entry.index} out of order`);
    demand(
      entry.term >= prevTerm && entry.term <= raft.term,
      "I10",
      () => `node ${id} of term ${raft.term} writes term ${entry.term} after ${prevTerm}`,
    );
    const known = ledger.known(entry.index, entry.term);
    if (known === undefined) ledger.learn(entry, prevTerm);
    else {
      demand(
        known.prevTerm === prevTerm && sameEntry(known.entry, entry),
        "I8",
        () => `entry ${entry.index} of term ${entry.term} differs at node ${id}`,
      );
    }
    prevTerm = entry.term;
  }
}

function sameEntry(a: Entry, b: Entry): boolean {
  return a === b || (a.term === b.term && a.type === b.type && equalBytes(a.data, b.data));
}

/** I36: what a store gives back was once written, as it was written. */
export function storedWasWritten(ledger: Ledger, id: NodeId, entry: Entry): void {
  const known = ledger.known(entry.index, entry.term)?.entry;
  demand(
    known !== undefined && sameEntry(known, entry),
    "I36",
    () =>
      `the store of node ${id} gives entry ${entry.index} of term ${entry.term}, which nobody wrote`,
  );
}

/** I9: a leader's log only grows. */
export function leaderAppendOnly(_ledger: Ledger, { id, raft, seen }: Watched): void {
  if (seen.role !== "leader" || raft.role !== "leader" || seen.term !== raft.term) return;
  demand(
    raft.log.lastIndex >= seen.last,
    "I9",
    () => `leader ${id} cut its log from ${seen.last} to ${raft.log.lastIndex}`,
  );
}

/** I12: who comes to lead holds everything that leaders of earlier terms committed. */
export function leaderCompleteness(ledger: Ledger, { id, raft }: Watched): void {
  const { log, term } = raft;
  for (
    let index = Math.max(log.firstIndex, ledger.base.index + 1);
    index <= ledger.lastCommitted;
    index++
  ) {
    const committed = ledger.committed.get(index);
    if (committed === undefined || committed.byTerm >= term) continue;
    demand(
      log.term(index) === committed.entry.term,
      "I12",
      () =>
        `leader ${id} of term ${term} lacks entry ${index} of term ${committed.entry.term}, committed in ${committed.byTerm}`,
    );
  }
}

/** I13: what is committed is neither cut nor overwritten. I15: a log is cut only where entries conflict. */
export function cutsOnlyConflicts(
  ledger: Ledger,
  watched: Watched,
  write: Write,
  held: (index: Index) => Term | undefined,
): void {
  const first = write.entries[0];
  if (first === undefined || write.snapshot !== undefined || first.index > watched.handed) return;
  const { id, handed } = watched;
  demand(
    held(first.index) !== first.term,
    "I15",
    () => `node ${id} rewrites entry ${first.index} of the same term ${first.term}`,
  );
  for (let index = first.index; index <= handed; index++) {
    const term = held(index);
    demand(
      term === undefined || ledger.termAt(index) !== term,
      "I13",
      () => `node ${id} cuts the committed entry ${index} of term ${term}`,
    );
  }
}

// — commit and apply —

/** I16: the commit index never goes back and never beyond the log. I19: applied stays behind it. */
export function commitInRange(_ledger: Ledger, { id, raft, seen }: Watched): void {
  const { committed, applied, lastIndex } = raft.log;
  demand(
    committed >= seen.commit,
    "I16",
    () => `node ${id}: commit went from ${seen.commit} to ${committed}`,
  );
  demand(
    committed <= lastIndex,
    "I16",
    () => `node ${id}: commit ${committed} beyond the log's end ${lastIndex}`,
  );
  demand(
    applied <= committed,
    "I19",
    () => `node ${id}: applied ${applied} beyond commit ${committed}`,
  );
}

/**
 * I17: who first calls an entry committed leads, the entry at the commit index is of its term, and a quorum's disks hold it.
 * I18: there is one committed sequence, and everybody's commit index speaks of it.
 */
export function committedByQuorum(
  ledger: Ledger,
  watched: Watched,
  durable: (id: NodeId) => Image | undefined,
): void {
  const { id, raft, seen } = watched;
  const { log } = raft;
  const from = Math.max(seen.commit, log.firstIndex - 1, ledger.base.index) + 1;
  for (let index = from; index <= log.committed; index++) {
    const entry = log.entry(index);
    if (entry === undefined) continue;
    const known = ledger.committed.get(index);
    if (known !== undefined) {
      demand(
        sameEntry(known.entry, entry),
        "I18",
        () =>
          `node ${id} holds entry ${index} of term ${entry.term} as committed, it was of ${known.entry.term}`,
      );
      continue;
    }
    if (index === ledger.lastCommitted + 1) firstCommit(ledger, watched, durable);
    else
      demand(
        false,
        "I18",
        () => `node ${id} committed ${index}, the cluster ${ledger.lastCommitted}`,
      );
  }
}

function firstCommit(
  ledger: Ledger,
  { id, raft }: Watched,
  durable: (id: NodeId) => Image | undefined,
): void {
  const { log, term, role } = raft;
  const { committed } = log;
  const last = log.entry(committed);
  demand(
    role === "leader",
    "I17",
    () => `node ${id}, a ${role}, is the first to commit ${committed}`,
  );
  demand(
    last?.term === term,
    "I17",
    () => `leader ${id} of term ${term} committed ${committed} of term ${last?.term} by counting`,
  );
  const conf = confState(raft);
  const holds = (voter: NodeId): boolean => durable(voter)?.holds(committed, term) === true;
  demand(
    isQuorum(conf, holds),
    "I17",
    () =>
      `leader ${id} committed ${committed}, which no quorum of ${describeConf(conf)} has on disk`,
  );
  for (let index = ledger.lastCommitted + 1; index <= committed; index++) {
    const entry = log.entry(index);
    if (entry === undefined)
      throw new Violation("I17", `leader ${id} committed ${index}, which it lacks`);
    const before = ledger.latestConf;
    ledger.commit(entry, term);
    if (entry.type !== "EntryNormal") neighboursIntersect(ledger, before);
  }
}

/** I19: applied in order, each index once in a life. */
export function appliedInOrder(id: NodeId, applied: Index, entry: Entry): void {
  demand(
    entry.index === applied + 1,
    "I19",
    () => `node ${id} is given ${entry.index} to apply after ${applied}`,
  );
}

/** I18 again, at the machine: what is applied is what is committed. */
export function appliedIsCommitted(ledger: Ledger, id: NodeId, entry: Entry): void {
  const known = ledger.committed.get(entry.index);
  demand(
    known !== undefined && sameEntry(known.entry, entry),
    "I18",
    () =>
      `node ${id} applies entry ${entry.index} of term ${entry.term}, which is not the committed one`,
  );
}

/** I20: at one index, one state, one session table, one outcome. */
export function equalStates(
  ledger: Ledger,
  what: "states" | "outcomes",
  id: NodeId,
  index: Index,
  hash: number,
): void {
  const known = ledger[what].get(index);
  if (known === undefined) ledger[what].set(index, { hash, by: id });
  else
    demand(
      known.hash === hash,
      "I20",
      () => `${what} of nodes ${known.by} and ${id} differ at index ${index}`,
    );
}
