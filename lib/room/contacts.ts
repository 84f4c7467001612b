/**
 * Contacts: whom a peer is linked with, what they said of themselves, and when they were last heard.
 *
 * Knowledge of the moment, never replicated: the autopilot decides on it, the log records what was decided.
 */
import type { Clock } from "../base/clock.js";
import type { NodeId } from "../core/types.js";
import type { LinkKind } from "../transport/transport.js";
import type { Control } from "./control.js";

export type Hello = Extract<Control, { type: "hello" }>;

export interface Contact {
  readonly id: NodeId;
  hello: Hello | undefined;
  /** Undefined while there is no open link. */
  via: LinkKind | undefined;
  linkedAt: number;
  heardAt: number;
  /** When it said goodbye, until it says hello again. */
  goodbyeAt: number | undefined;
}

export class Contacts {
  readonly #clock: Clock;
  readonly #contacts = new Map<NodeId, Contact>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(id: NodeId): Contact | undefined {
    return this.#contacts.get(id);
  }

  all(): Iterable<Contact> {
    return this.#contacts.values();
  }

  linked(): Contact[] {
    return [...this.#contacts.values()].filter((contact) => contact.via !== undefined);
  }

  up(id: NodeId, via: LinkKind): void {
    const now = this.#clock.now();
    const known = this.#contacts.get(id);
    if (known === undefined) {
      const contact = {
        id,
        hello: undefined,
        via,
        linkedAt: now,
        heardAt: now,
        goodbyeAt: undefined,
      };
      this.#contacts.set(id, contact);
      return;
    }
    if (known.via === undefined) known.linkedAt = now;
    known.via = via;
    known.heardAt = now;
  }

  down(id: NodeId): void {
    const known = this.#contacts.get(id);
    if (known !== undefined) known.via = undefined;
  }

  heard(id: NodeId): void {
    const known = this.#contacts.get(id);
    if (known !== undefined) known.heardAt = this.#clock.now();
  }

  hello(id: NodeId, hello: Hello): void {
    const known = this.#contacts.get(id);
    if (known === undefined) return;
    known.hello = hello;
    known.goodbyeAt = undefined;
  }

  goodbye(id: NodeId): void {
    const known = this.#contacts.get(id);
    if (known !== undefined) known.goodbyeAt ??= this.#clock.now();
  }

  /** Forgets who is neither linked nor named in `keep`. */
  prune(keep: ReadonlySet<NodeId>): void {
    for (const [id, contact] of this.#contacts) {
      if (contact.via === undefined && !keep.has(id)) this.#contacts.delete(id);
    }
  }
}
