/** LogLines: the core's lines to the logger, the last of them kept for the dump of a node that halts. */
import type { LogLevel } from "../core/config.js";
import type { NodeId } from "../core/types.js";
import type { Logger } from "./metrics.js";

const linesMax = 100;

export class LogLines {
  readonly #node: NodeId;
  readonly #logger: Logger;
  readonly #lines: string[] = [];

  constructor(node: NodeId, logger: Logger) {
    this.#node = node;
    this.#logger = logger;
  }

  /** Oldest first. */
  get last(): readonly string[] {
    return [...this.#lines];
  }

  /** Debug lines are about single messages: their text is not even made. */
  say(level: LogLevel, text: () => string): void {
    if (level === "debug") return;
    const line = text();
    this.#lines.push(line);
    if (this.#lines.length > linesMax) this.#lines.shift();
    this.#logger[level]({ node: this.#node }, line);
  }
}
