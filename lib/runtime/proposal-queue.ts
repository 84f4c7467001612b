/**
 * ProposalQueue: commands proposed in one task go into the log together, as one append and one message per follower.
 *
 * Callers whose commands were applied together are called back together, and propose their next ones together: without this each
 * would cost a turn of the loop, a message to every follower and an answer from each.
 */
import type { ProposeResult } from "../core/results.js";
import { refusal } from "./refusals.js";
import type { Placed } from "./requests.js";

interface Queued {
  readonly commands: readonly Uint8Array[];
  placed(placed: Placed): void;
  reject(error: unknown): void;
}

/** Commands in one append. */
const togetherMax = 4096;

export class ProposalQueue {
  readonly #propose: (commands: readonly Uint8Array[]) => ProposeResult;
  #queue: Queued[] = [];

  /** @param propose  appends as leader, or says why not; throws nothing but LogboomError */
  constructor(propose: (commands: readonly Uint8Array[]) => ProposeResult) {
    this.#propose = propose;
  }

  /**
   * At the end of this task, calls `then` with where the first of `commands` stands, before anything can have been applied there, and
   * resolves as that does. @throws LogboomError, outcome none
   */
  place<T>(commands: readonly Uint8Array[], then: (placed: Placed) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#queue.length === 0) queueMicrotask(() => this.#flush());
      this.#queue.push({ commands, placed: (placed) => resolve(then(placed)), reject });
    });
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (let from = 0; from < queue.length; ) {
      let count = 0;
      let to = from;
      for (let next = queue[to]; next !== undefined; next = queue[++to]) {
        if (count > 0 && count + next.commands.length > togetherMax) break;
        count += next.commands.length;
      }
      this.#append(queue.slice(from, to));
      from = to;
    }
  }

  #append(group: readonly Queued[]): void {
    try {
      const answer = this.#propose(group.flatMap(({ commands }) => commands));
      if (answer.accepted) {
        let { index } = answer;
        for (const { commands, placed } of group) {
          placed({ index, term: answer.term });
          index += commands.length;
        }
        return;
      }
      const [only, ...more] = group;
      if (more.length === 0) only?.reject(refusal(answer.reason));
      // What is too much together may be little enough one by one.
      else for (const each of group) this.#append([each]);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
