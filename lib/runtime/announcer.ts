/** Announcer: a node that lives elsewhere than the configuration says has the cluster told, until it knows. */
import type { Cancel, Clock } from "../base/clock.js";

export interface AnnouncerOptions {
  readonly clock: Clock;
  /** Milliseconds until a failed attempt is repeated. */
  retryMs(): number;
  /** Whether there is something to tell, and somebody to tell it to. */
  due(): boolean;
  tell(): Promise<unknown>;
}

export class Announcer {
  readonly #options: AnnouncerOptions;
  #telling = false;
  #closed = false;
  #later: Cancel = () => {};

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Something has changed. */
  look(): void {
    if (this.#telling || this.#closed || !this.#options.due()) return;
    this.#telling = true;
    void this.#options.tell().then(
      () => {
        this.#telling = false;
      },
      () => this.#again(),
    );
  }

  close(): void {
    this.#closed = true;
    this.#later();
  }

  #again(): void {
    if (this.#closed) return;
    this.#later = this.#options.clock.after(this.#options.retryMs(), () => {
      this.#telling = false;
      this.look();
    });
  }
}
