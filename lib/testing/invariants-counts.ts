/**
 * The invariants, continued: what is counted: windows of appends in flight, uncommitted bytes, queues and their bounds.
 *
 * Each is counted anew from the log and from what was sent, and compared with what the core has kept up step by step.
 */
import { payloadBytesOf } from "../core/entries.js";
import type { Raft } from "../core/raft.js";
import type { Index, Message, NodeId, Term } from "../core/types.js";
import type { Ledger } from "./ledger.js";
import { demand, type Watched } from "./violation.js";

interface SentAppend {
  readonly last: Index;
  readonly bytes: number;
}

/** The appends that a leader sent in its term, as the network saw them. */
export class SentAppends {
  #term: Term = 0;
  readonly #to = new Map<NodeId, SentAppend[]>();

  note({ term, to, entries }: Message): void {
    if (term !== this.#term) {
      this.#term = term;
      this.#to.clear();
    }
    const last = entries.at(-1);
    if (last === undefined) return;
    const append = { last: last.index, bytes: payloadBytesOf(entries) };
    const there = this.#to.get(to);
    if (there === undefined) this.#to.set(to, [append]);
    else there.push(append);
  }

  /** Payload of those to `peer` that end after `match`; what ends before is forgotten. */
  bytesAfter(peer: NodeId, match: Index): number {
    const sent = this.#to.get(peer);
    if (sent === undefined) return 0;
    const open = sent.filter(({ last }) => last > match);
    this.#to.set(peer, open);
    return open.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

/**
 * I24: a window is empty where nothing is in flight, and holds what is: at least everything between `match` and `next`, and no more than
 * what was sent and not acknowledged.
 */
export function windowsAreTrue(_ledger: Ledger, { id, raft }: Watched, sent: SentAppends): void {
  for (const { id: peer, progress } of raft.tracker.peers) {
    if (peer === id) continue;
    const { match, next, state, inflights } = progress;
    const { count, bytes } = inflights;
    const open = state === "replicate" ? next - match - 1 : 0;
    demand(
      count > 0 === open > 0 && (count > 0 || bytes === 0),
      "I24",
      () =>
        `leader ${id}: ${count} appends of ${bytes} bytes in flight to ${peer} in ${state}, where ${open} entries are open`,
    );
    if (count === 0) continue;
    const most = sent.bytesAfter(peer, match);
    demand(
      bytes <= most,
      "I24",
      () => `leader ${id}: ${bytes} bytes in flight to ${peer}, ${most} were sent`,
    );
    if (match + 1 < raft.log.firstIndex) continue;
    const least = payloadBetween(raft, match, next - 1, 0);
    demand(
      bytes >= least,
      "I24",
      () => `leader ${id}: ${bytes} bytes in flight to ${peer}, ${least} are not acknowledged`,
    );
  }
}

/** Payload of entries in (`after`, `to`] of `leastTerm` or later. */
function payloadBetween({ log }: Raft, after: Index, to: Index, leastTerm: Term): number {
  let sum = 0;
  for (let index = Math.max(after + 1, log.firstIndex); index <= to; index++) {
    const entry = log.entry(index);
    if (entry !== undefined && entry.term >= leastTerm) sum += entry.data.length;
  }
  return sum;
}

/** A leader that comes to lead with nothing left to apply counts exactly; any other may count too little (etcd's does, too). */
export function countsExactly({ log, term }: Raft): boolean {
  if (log.applied !== log.applying) return false;
  for (let index = log.applied + 1; index <= log.lastIndex; index++) {
    const entry = log.entry(index);
    if (entry !== undefined && entry.term < term && entry.data.length > 0) return false;
  }
  return true;
}

/** I25: uncommitted bytes are those of the leader's entries that are not applied; looked at while nothing is being applied. */
export function uncommittedIsTrue(_ledger: Ledger, { id, raft }: Watched, exactly: boolean): void {
  const { log, uncommittedBytes, term } = raft;
  demand(uncommittedBytes >= 0, "I25", () => `leader ${id}: ${uncommittedBytes} uncommitted bytes`);
  if (log.applied !== log.applying) return;
  const real = payloadBetween(raft, log.applied, log.lastIndex, term);
  demand(
    uncommittedBytes <= real && (!exactly || uncommittedBytes === real),
    "I25",
    () =>
      `leader ${id} counts ${uncommittedBytes} uncommitted bytes, its entries not applied have ${real}`,
  );
}

/** I40: queues stay within their bounds. */
export function withinBounds(_ledger: Ledger, { id, raft }: Watched): void {
  const { readsMax, inflightAppendsMax, inflightBytesMax, appendBytesMax, uncommittedBytesMax } =
    raft.config;
  demand(
    raft.reads.waiting <= readsMax && raft.forwardedReads.length <= readsMax,
    "I40",
    () => `node ${id}: more than ${readsMax} reads wait`,
  );
  for (const { id: peer, progress } of raft.tracker.peers) {
    const { count, bytes } = progress.inflights;
    demand(
      count <= inflightAppendsMax,
      "I40",
      () => `node ${id}: ${count} appends in flight to ${peer}, at most ${inflightAppendsMax}`,
    );
    // The append that crosses it is still sent, so that one large entry cannot block a follower for ever.
    const most =
      inflightBytesMax + Math.max(appendBytesMax, largestEntry(raft, bytes > inflightBytesMax));
    demand(
      bytes <= most,
      "I40",
      () => `node ${id}: ${bytes} bytes in flight to ${peer}, at most ${most}`,
    );
  }
  if (raft.role !== "leader" || raft.uncommittedBytes <= uncommittedBytesMax) return;
  const counted = ownEntriesWithPayload(raft);
  demand(
    counted <= 1,
    "I40",
    () =>
      `leader ${id}: ${raft.uncommittedBytes} uncommitted bytes in ${counted} entries, at most ${uncommittedBytesMax} unless it is one`,
  );
}

function largestEntry({ log }: Raft, wanted: boolean): number {
  let largest = 0;
  if (!wanted) return largest;
  for (let index = log.firstIndex; index <= log.lastIndex; index++) {
    largest = Math.max(largest, log.entry(index)?.data.length ?? 0);
  }
  return largest;
}

function ownEntriesWithPayload({ log, term }: Raft): number {
  let count = 0;
  for (let index = Math.max(log.applied + 1, log.firstIndex); index <= log.lastIndex; index++) {
    const entry = log.entry(index);
    if (entry !== undefined && entry.term === term && entry.data.length > 0) count++;
  }
  return count;
}
