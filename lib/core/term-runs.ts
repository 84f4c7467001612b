/**
 * TermRuns: where each term begins in a log, so that looking for "the last entry of at most this term" costs the logarithm of the
 * number of terms and nothing per entry. Terms in a log never fall (dissertation §3.5), so each is one run.
 */
import type { Index, Term } from "./types.js";

interface Run {
  readonly term: Term;
  /** Index of its first entry that is in memory. */
  readonly first: Index;
}

export class TermRuns {
  #runs: Run[];

  /** @param base  the entry before the first in memory */
  constructor(base: { readonly index: Index; readonly term: Term }) {
    this.#runs = [{ term: base.term, first: base.index }];
  }

  append(index: Index, term: Term): void {
    const last = this.#runs[this.#runs.length - 1] as Run;
    if (term !== last.term) this.#runs.push({ term, first: index });
  }

  /** Forgets entries at and after `from`. */
  truncate(from: Index): void {
    while (this.#runs.length > 1 && (this.#runs[this.#runs.length - 1] as Run).first >= from) {
      this.#runs.pop();
    }
  }

  /** `index` becomes the entry before the first in memory. */
  compact(index: Index): void {
    const at = this.#lastWhere((run) => run.first <= index);
    const base = this.#runs[at] as Run;
    this.#runs = [{ term: base.term, first: index }, ...this.#runs.slice(at + 1)];
  }

  /** The highest index at or below `index` whose term is at most `term`, and its term; undefined if that lies before our first. */
  lastAtMost(index: Index, term: Term): { readonly index: Index; readonly term: Term } | undefined {
    const at = this.#lastWhere((run) => run.first <= index && run.term <= term);
    const run = this.#runs[at];
    if (run === undefined) return undefined;
    const next = this.#runs[at + 1];
    const end = next === undefined ? index : Math.min(index, next.first - 1);
    return { index: end, term: run.term };
  }

  /** Position of the last run for which `holds`, which must hold for all before it; -1 if for none. */
  #lastWhere(holds: (run: Run) => boolean): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.#runs[middle] as Run)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
