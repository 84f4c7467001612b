/**
 * Queue: first in, first out, linked through its members in a ring: the last one's `next` is the first.
 *
 * An array that is pushed to and shifted until it is empty is given room for seventeen and trimmed again each time; most queues of a
 * node hold one thing at a time. A ring, because each reference from the old queue to a new member costs a collector's note.
 */

/** What a queue may hold; in one queue at a time. `next` is the queue's. */
export interface Linked<T> {
  next: T | undefined;
}

export class Queue<T extends Linked<T>> {
  #last: T | undefined;

  get first(): T | undefined {
    return this.#last?.next;
  }

  push(member: T): void {
    const last = this.#last ?? member;
    member.next = last.next ?? member;
    last.next = member;
    this.#last = member;
  }

  /** Takes the first out; nothing happens to an empty queue. */
  shift(): void {
    const last = this.#last;
    const first = last?.next;
    if (last === undefined || first === undefined || first === last) {
      this.#last = undefined;
      return;
    }
    last.next = first.next;
    // Or the first, grown old, would keep all that came after it from being collected cheaply.
    first.next = undefined;
  }

  /** The first member of which `holds` is true. */
  find(holds: (member: T) => boolean): T | undefined {
    let member = this.first;
    while (member !== undefined && !holds(member)) {
      member = member === this.#last ? undefined : member.next;
    }
    return member;
  }
}
