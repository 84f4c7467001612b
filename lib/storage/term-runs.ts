/**
 * Which term each entry of a log has, without the entries: terms never fall, so a log is a few runs of equal terms.
 *
 * Invariant: runs ascend in index and term, and cover (compacted, last].
 */
import type { Index, Term } from "../core/types.js";
import type { Position } from "./log-shape.js";

export class TermRuns {
  /** Where each run begins. */
  private firsts: Index[] = [];
  private terms: Term[] = [];
  private before: Position;
  last: Index;

  constructor(compacted: Position) {
    this.before = compacted;
    this.last = compacted.index;
  }

  get compacted(): Position {
    return this.before;
  }

  /** The entry `index` (at most one past the last) has `term`; all after it are gone. */
  set(index: Index, term: Term): void {
    if (index <= this.last) this.cut(index);
    if (this.terms[this.terms.length - 1] !== term) {
      this.firsts.push(index);
      this.terms.push(term);
    }
    this.last = index;
  }

  /** Forgets the entries up to `index`. */
  compact(index: Index): void {
    const term = this.termAt(index);
    if (term === undefined || index <= this.before.index) return;
    this.before = { index, term };
    while (this.firsts.length > 0 && this.endOf(0) <= index) {
      this.firsts.shift();
      this.terms.shift();
    }
  }

  termAt(index: Index): Term | undefined {
    if (index === this.before.index) return this.before.term;
    if (index <= this.before.index || index > this.last) return undefined;
    let run = this.firsts.length - 1;
    while (run > 0 && (this.firsts[run] ?? 0) > index) run--;
    return this.terms[run];
  }

  private cut(index: Index): void {
    while (this.firsts.length > 0 && (this.firsts[this.firsts.length - 1] ?? 0) >= index) {
      this.firsts.pop();
      this.terms.pop();
    }
    this.last = index - 1;
  }

  private endOf(run: number): Index {
    const next = this.firsts[run + 1];
    return next === undefined ? this.last : next - 1;
  }
}
