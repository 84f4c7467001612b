/** Turns: waits until everything that needs no time has happened: all promises that can be settled are, and their handlers have run. */

/** What goes on event by event; each step is an event after which promises may have to be waited for. */
export type Steps<T> = Generator<undefined, T, undefined>;

export interface Turns {
  /** Resolves in a task of its own, when no microtask is left. */
  next(): Promise<void>;
  close(): void;
}

export function createTurns(): Turns {
  const { port1, port2 } = new MessageChannel();
  let resume = (): void => {};
  port1.onmessage = () => resume();
  return {
    next: () =>
      new Promise((resolve) => {
        resume = resolve;
        port2.postMessage(0);
      }),
    close() {
      port1.close();
      port2.close();
    },
  };
}
