/**
 * EventQueue: what will happen, in the order of virtual time; what happens at one time, in the order it was put in.
 *
 * A binary heap on (time, order). Nothing else in the simulator decides what comes next, so a run is a function of its inputs.
 */

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class EventQueue {
  /** Virtual milliseconds since the start. */
  now = 0;
  /** Events run so far. */
  count = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  /** Runs `run` in `ms` from now. */
  after(ms: number, run: () => void): void {
    this.#push({ at: this.now + Math.max(0, ms), order: this.#order++, run });
  }

  /** Runs the next event; false when there is none up to `until`. */
  step(until: number): boolean {
    const first = this.#heap[0];
    if (first === undefined || first.at > until) {
      this.now = Math.max(this.now, until);
      return false;
    }
    this.#pop();
    this.now = first.at;
    this.count++;
    first.run();
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Event;
      if (!sooner(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && sooner(right, heap[child] as Event)) child++;
      if (!sooner(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

function sooner(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
