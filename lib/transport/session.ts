/** Session: one attempt at one kind of link between two boots of two peers, and what its ends tell each other. */
import { hex } from "../base/bytes.js";
import type { Random } from "../base/random.js";
import type { NodeId } from "../core/types.js";
import type { Boot } from "./channel.js";
import { type DialledKind, sessionBytes } from "./envelope.js";

export interface Session {
  /** Hexadecimal of the 16 random bytes. */
  readonly key: string;
  readonly id: Uint8Array;
  readonly peer: NodeId;
  readonly peerBoot: Boot;
  readonly link: DialledKind;
  readonly initiator: boolean;
}

/** What one end of a session has to say to the other; the payload is the channel's business. */
export interface Signal {
  readonly type: "offer" | "answer" | "candidate";
  readonly payload: Uint8Array;
}

/** A session under way. */
export interface Attempt {
  readonly session: Session;
  readonly startedAt: number;
  /** Sequence numbers of the last envelope each way. */
  sent: number;
  received: number;
}

export function newSession(
  peer: { readonly id: NodeId; readonly boot: Boot },
  link: DialledKind,
  random: Random,
): Session {
  const id = Uint8Array.from({ length: sessionBytes }, () => random.below(256));
  return { key: hex(id), id, peer: peer.id, peerBoot: peer.boot, link, initiator: true };
}

export function offeredSession(
  peer: { readonly id: NodeId; readonly boot: Boot },
  link: DialledKind,
  offered: Uint8Array,
): Session {
  const id = offered.slice();
  return { key: hex(id), id, peer: peer.id, peerBoot: peer.boot, link, initiator: false };
}

/** Sessions that were offered, the latest 1,024 of them: none is accepted twice. */
export class SeenSessions {
  readonly #keys = new Set<string>(); // keeps the order of insertion

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  add(key: string): void {
    this.#keys.add(key);
    const [oldest] = this.#keys;
    if (this.#keys.size > seenSessionsMax && oldest !== undefined) this.#keys.delete(oldest);
  }
}

const seenSessionsMax = 1_024;
