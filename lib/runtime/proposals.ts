/**
 * Proposals: promises waiting for entries to be applied here.
 *
 * Each knows the index and term its entry was given. What is applied at that index decides: the same term, and the promise resolves with
 * the machine's result; another, and the entry can never be committed. The first applied entry of a later term decides about every
 * older one still waiting, since terms never fall along a log. So after a change of leader most fates become certain; what does not
 * within a grace is reported as unknown (dissertation §6.3 says what to do then).
 *
 * Invariant: each promise settles once. Not here: who proposes (raft-node.ts), forwarding (forwarding.ts).
 */
import type { Cancel, Clock } from "../base/clock.js";
import { LogboomError } from "../base/errors.js";
import type { Entry, Index, Term } from "../core/types.js";

/** A command that was applied on this node. */
export interface Applied<Result> {
  readonly index: Index;
  readonly term: Term;
  /** What the machine answered. */
  readonly result: Result;
}

interface Batch<Result> {
  readonly term: Term;
  readonly first: Index;
  readonly count: number;
  readonly bytes: number;
  readonly applied: Applied<Result>[];
  resolve(applied: readonly Applied<Result>[]): void;
  reject(error: LogboomError): void;
}

/** Results of entries that were applied while it was not yet known which of them are ours. */
const rememberedMax = 8192;

export interface ProposalsOptions {
  readonly clock: Clock;
  /** How long the fate of an entry may stay open after leadership was lost. */
  graceMs(): number;
  /** The term in which a leader is known now; 0 where none is. */
  leaderTerm(): Term;
}

export class Proposals<Result> {
  readonly #options: ProposalsOptions;
  /** By index; a batch stands at each of its indexes. */
  readonly #waiting = new Map<Index, Batch<Result>>();
  /** While requests to a leader are unanswered: what was applied meanwhile. */
  readonly #remembered = new Map<Index, { readonly term: Term; readonly result: Result }>();
  #unanswered = 0;
  #bytes = 0;
  #term: Term = 0;
  #applied: Index = 0;
  readonly #graces = new Set<Cancel>();
  #closed: LogboomError | undefined;

  constructor(options: ProposalsOptions) {
    this.#options = options;
  }

  /** Bytes of commands whose end is open. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** A request has left for the leader: until it is answered, results are remembered. Call what is returned at its end. */
  remember(): () => void {
    this.#unanswered += 1;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#unanswered -= 1;
      if (this.#unanswered === 0) this.#remembered.clear();
    };
  }

  /** Resolves when the `count` entries from `first` on, all of `term`, are applied here. */
  wait(
    first: Index,
    term: Term,
    count: number,
    bytes: number,
    signal?: AbortSignal,
  ): Promise<readonly Applied<Result>[]> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#bytes += bytes;
      const abort = (): void => {
        this.#end(batch, aborted(signal));
      };
      const done = (): void => {
        signal?.removeEventListener("abort", abort);
        this.#bytes -= bytes;
      };
      const batch: Batch<Result> = {
        term,
        first,
        count,
        bytes,
        applied: [],
        resolve(applied) {
          done();
          resolve(applied);
        },
        reject(error) {
          done();
          reject(error);
        },
      };
      signal?.addEventListener("abort", abort);
      for (let index = first; index < first + count; index++) this.#waiting.set(index, batch);
      if (first <= this.#applied) this.#recall(batch);
      else if (term < this.#term) this.#end(batch, overwritten(batch));
      // Its leader went between the answer and now: nobody will tell.
      else if (this.#options.leaderTerm() !== term) this.leadershipLost();
    });
  }

  /** An entry was applied here. */
  applied(entry: Entry, result: Result | undefined): void {
    const { index, term } = entry;
    if (term > this.#term) {
      this.#term = term;
      for (const batch of new Set(this.#waiting.values())) {
        if (batch.term < term) this.#end(batch, overwritten(batch));
      }
    }
    this.#applied = index;
    if (this.#unanswered > 0) this.#rememberResult(index, term, result as Result);
    const batch = this.#waiting.get(index);
    if (batch !== undefined) this.#settle(batch, index, term, result as Result);
  }

  /** The machine was replaced by a state as of `index`: what became of entries up to there cannot be told. */
  restored(index: Index, term: Term): void {
    this.#applied = index;
    this.#term = Math.max(this.#term, term);
    this.#remembered.clear();
    for (const batch of new Set(this.#waiting.values())) {
      if (batch.first <= index) this.#end(batch, lost("a snapshot overtook the command"));
      else if (batch.term < term) this.#end(batch, overwritten(batch));
    }
  }

  /** Leadership moved: whatever is open now and still after the grace is unknown. */
  leadershipLost(): void {
    if (this.#waiting.size === 0) return;
    const open = new Set(this.#waiting.values());
    const cancel = this.#options.clock.after(this.#options.graceMs(), () => {
      this.#graces.delete(cancel);
      for (const batch of open) {
        if (this.#waiting.get(batch.first + batch.count - 1) !== batch) continue;
        this.#end(batch, lost("leadership was lost before the command was committed"));
      }
    });
    this.#graces.add(cancel);
  }

  /** Everything ends by `error`. */
  close(error: LogboomError): void {
    this.#closed = error;
    for (const cancel of this.#graces) cancel();
    this.#graces.clear();
    for (const batch of new Set(this.#waiting.values())) this.#end(batch, error);
  }

  #rememberResult(index: Index, term: Term, result: Result): void {
    this.#remembered.set(index, { term, result });
    if (this.#remembered.size <= rememberedMax) return;
    for (const oldest of this.#remembered.keys()) {
      this.#remembered.delete(oldest);
      return;
    }
  }

  #recall(batch: Batch<Result>): void {
    const last = Math.min(batch.first + batch.count - 1, this.#applied);
    for (let index = batch.first; index <= last; index++) {
      const found = this.#remembered.get(index);
      if (found === undefined) {
        this.#end(batch, lost("the command was overtaken by what was applied here"));
        return;
      }
      this.#settle(batch, index, found.term, found.result);
      if (this.#waiting.get(index + 1) !== batch) return;
    }
  }

  #settle(batch: Batch<Result>, index: Index, term: Term, result: Result): void {
    if (term !== batch.term) {
      this.#end(batch, overwritten(batch));
      return;
    }
    this.#waiting.delete(index);
    batch.applied.push({ index, term, result });
    if (batch.applied.length === batch.count) batch.resolve(batch.applied);
  }

  #end(batch: Batch<Result>, error: LogboomError): void {
    let open = false;
    for (let index = batch.first; index < batch.first + batch.count; index++) {
      if (this.#waiting.get(index) !== batch) continue;
      this.#waiting.delete(index);
      open = true;
    }
    if (open) batch.reject(error);
  }
}

function overwritten<Result>({ applied }: Batch<Result>): LogboomError {
  // The first part of a batch may have survived its leader.
  if (applied.length > 0) return lost("only the first part of the batch was committed");
  return new LogboomError(
    "PROPOSAL_DROPPED",
    "another leader's entry took the command's place: it will never be applied",
    { reason: "overwritten" },
  );
}

function lost(why: string): LogboomError {
  return new LogboomError("LEADERSHIP_LOST", why, { outcome: "unknown" });
}

export function aborted(
  signal: AbortSignal | undefined,
  outcome: "none" | "unknown" = "unknown",
): LogboomError {
  const cause: unknown = signal?.reason;
  return new LogboomError("ABORTED", "the caller gave the request up", { outcome, cause });
}
