/**
 * Three nodes in one process: messages are delivered in rounds, and who received something works through it. The same for ours and for
 * the reference, so that what differs is the nodes. Each loads this file for itself (`?ours`, `?reference`): an engine compiles a
 * function for what it has seen in it, and one that had seen both would serve neither.
 *
 * @template Message
 * @typedef {object} Member
 * @property {number} applied                                     the last index it has applied
 * @property {(message: Message) => void} step
 * @property {(send: (message: Message) => void) => void} pump    does everything that is to do: store, apply, acknowledge
 * @property {(command: unknown) => void} propose
 */

/** Entries after which a node compacts its log, and how many it keeps then. */
export const compactEvery = 4096;
export const compactKeeps = 2048;

/** @template Message */
export class Cluster {
  #members;
  #receiver;
  #command;
  /** What is under way; slots are used again, so that the network allocates nothing. @type {Message[]} */
  #queue = [];
  #queued = 0;
  /** @type {(message: Message) => void} */
  #send;

  /**
   * @param {Member<Message>[]} members             the first leads
   * @param {(message: Message) => number} receiver position of who it is for
   * @param {unknown} command
   */
  constructor(members, receiver, command) {
    this.#members = members;
    this.#receiver = receiver;
    this.#command = command;
    this.#send = (message) => {
      this.#queue[this.#queued++] = message;
    };
  }

  /** Proposes `count` commands, one by one; they are applied everywhere when it returns. @param {number} count */
  propose(count) {
    const leader = this.#members[0];
    for (let i = 0; i < count; i++) leader.propose(this.#command);
    this.settle();
  }

  /** The leader has something to do; delivers until nobody has. */
  settle() {
    this.#members[0].pump(this.#send);
    let from = 0;
    while (from < this.#queued) {
      const to = this.#queued;
      let received = 0;
      for (; from < to; from++) {
        const at = this.#receiver(this.#queue[from]);
        this.#members[at].step(this.#queue[from]);
        received |= 1 << at;
      }
      for (let at = 0; at < this.#members.length; at++) {
        if (received & (1 << at)) this.#members[at].pump(this.#send);
      }
    }
    this.#queued = 0;
  }

  applied() {
    return this.#members.map((member) => member.applied);
  }
}

/** Appends a follower is sent before a new one takes its place. */
export const appendsPerLife = 20_000;

/**
 * A follower that is sent the next of `appends` with each call, and works through it.
 * @template Message
 * @param {Message[]} appends
 * @param {() => Member<Message>} create
 */
export function follow(appends, create) {
  let follower = create();
  let next = 0;
  const discard = () => {};
  return () => {
    if (next === appends.length) {
      if (follower.applied < next - 1) throw new Error("a follower that does not follow");
      follower = create();
      next = 0;
    }
    follower.step(appends[next++]);
    follower.pump(discard);
  };
}
