/**
 * Queue: first in, first out, as a linked list.
 *
 * An array that is pushed to and shifted until it is empty is given room for seventeen and trimmed again each time; most queues of a
 * node hold one thing at a time.
 */

interface Link<T> {
  readonly value: T;
  next: Link<T> | undefined;
}

export class Queue<T> {
  #head: Link<T> | undefined;
  #tail: Link<T> | undefined;

  get first(): T | undefined {
    return this.#head?.value;
  }

  push(value: T): void {
    const link: Link<T> = { value, next: undefined };
    if (this.#tail === undefined) this.#head = link;
    else this.#tail.next = link;
    this.#tail = link;
  }

  /** Takes the first out; nothing happens to an empty queue. */
  shift(): void {
    this.#head = this.#head?.next;
    if (this.#head === undefined) this.#tail = undefined;
  }

  find(matches: (value: T) => boolean): T | undefined {
    for (let link = this.#head; link !== undefined; link = link.next) {
      if (matches(link.value)) return link.value;
    }
    return undefined;
  }
}
