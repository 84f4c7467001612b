/**
 * CommandBatch: the commands of one task go on together, as one message to the leader or one append of its log.
 *
 * Callers whose commands were applied together are called back together, and send their next ones together: without this each would cost
 * a message to every peer and an answer from each. The runtime's proposal-queue.ts does so for nodes.
 */

/** In one message. */
export const commandsMax = 1024;
const bytesMax = 64 * 1024;

export class CommandBatch {
  readonly #send: (commands: readonly Uint8Array[]) => void;
  #commands: Uint8Array[] = [];
  #bytes = 0;

  /** @param send  at the end of the task, or once there is enough: at least one command, in the order they were added */
  constructor(send: (commands: readonly Uint8Array[]) => void) {
    this.#send = send;
  }

  add(command: Uint8Array): void {
    const { length } = this.#commands;
    if (length === commandsMax || this.#bytes + command.length > bytesMax) this.flush();
    if (this.#commands.length === 0) queueMicrotask(() => this.flush());
    this.#commands.push(command);
    this.#bytes += command.length;
  }

  flush(): void {
    if (this.#commands.length === 0) return;
    const commands = this.#commands;
    this.#commands = [];
    this.#bytes = 0;
    this.#send(commands);
  }
}
