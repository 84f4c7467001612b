/** Contacts: when each peer was last heard, and word of those that fall silent and return. */
import type { Cancel, Clock } from "../base/clock.js";
import type { NodeId } from "../core/types.js";
import type { NodeEvent } from "./node-events.js";

interface Contact {
  heardAt: number;
  silent: boolean;
}

/** Peers remembered; beyond it the one first heard is forgotten. */
const contactsMax = 1024;

export class Contacts {
  readonly #clock: Clock;
  readonly #silenceMs: () => number;
  readonly #emit: (event: Extract<NodeEvent, { type: "heartbeat" }>) => void;
  readonly #contacts = new Map<NodeId, Contact>();
  #checking: Cancel;

  constructor(
    clock: Clock,
    silenceMs: () => number,
    emit: (event: Extract<NodeEvent, { type: "heartbeat" }>) => void,
  ) {
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    this.#emit = emit;
    this.#checking = clock.after(2 * silenceMs(), () => this.#check());
  }

  heard(peer: NodeId): void {
    const now = this.#clock.now();
    const contact = this.#contacts.get(peer);
    if (contact === undefined) {
      this.#forgetFirst();
      this.#contacts.set(peer, { heardAt: now, silent: false });
      return;
    }
    const lastContactMs = now - contact.heardAt;
    contact.heardAt = now;
    if (!contact.silent) return;
    contact.silent = false;
    this.#emit({ type: "heartbeat", peer, state: "resumed", lastContactMs });
  }

  /** Milliseconds since `peer` was heard; undefined if it never was. */
  sinceHeard(peer: NodeId): number | undefined {
    const contact = this.#contacts.get(peer);
    return contact === undefined ? undefined : this.#clock.now() - contact.heardAt;
  }

  close(): void {
    this.#checking();
  }

  #check(): void {
    const now = this.#clock.now();
    const silenceMs = this.#silenceMs();
    // Seldom enough to cost an idle process nothing.
    this.#checking = this.#clock.after(2 * silenceMs, () => this.#check());
    for (const [peer, contact] of this.#contacts) {
      const lastContactMs = now - contact.heardAt;
      if (contact.silent || lastContactMs < silenceMs) continue;
      contact.silent = true;
      this.#emit({ type: "heartbeat", peer, state: "failed", lastContactMs });
    }
  }

  #forgetFirst(): void {
    if (this.#contacts.size < contactsMax) return;
    for (const peer of this.#contacts.keys()) {
      this.#contacts.delete(peer);
      return;
    }
  }
}
