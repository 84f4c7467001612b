/**
 * Queue: first in, first out, linked through its members.
 *
 * An array that is pushed to and shifted until it is empty is given room for seventeen and trimmed again each time; most queues of a
 * node hold one thing at a time.
 */

/** What a queue may hold; in one queue at a time. */
export interface Linked<T> {
  next: T | undefined;
}

export class Queue<T extends Linked<T>> {
  #first: T | undefined;
  #last: T | undefined;

  get first(): T | undefined {
    return this.#first;
  }

  push(member: T): void {
    if (this.#last === undefined) this.#first = member;
    else this.#last.next = member;
    this.#last = member;
  }

  /** Takes the first out; nothing happens to an empty queue. */
  shift(): void {
    this.#first = this.#first?.next;
    if (this.#first === undefined) this.#last = undefined;
  }
}
