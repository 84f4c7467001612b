/** Speaker: envelopes in the name of this boot of this peer. */
import type { NodeId } from "../core/types.js";
import type { Boot } from "./channel.js";
import { encodeEnvelope, type SessionEnvelope } from "./envelope.js";
import type { Attempt } from "./session.js";

export class Speaker {
  readonly #from: NodeId;
  readonly #boot: Boot;

  constructor(self: NodeId, boot: Boot) {
    this.#from = self;
    this.#boot = boot;
  }

  /** @param to  0: everybody */
  hello(to: NodeId, wantsReply: boolean): Uint8Array {
    return encodeEnvelope({ type: "hello", from: this.#from, to, boot: this.#boot, wantsReply });
  }

  bye(): Uint8Array {
    return encodeEnvelope({ type: "bye", from: this.#from, to: 0, boot: this.#boot });
  }

  /** The next envelope of this side in the session. */
  inSession(attempt: Attempt, type: SessionEnvelope["type"], payload: Uint8Array): Uint8Array {
    const { session } = attempt;
    attempt.sent++;
    return encodeEnvelope({
      type,
      from: this.#from,
      to: session.peer,
      boot: this.#boot,
      toBootNonce: session.peerBoot.nonce,
      session: session.id,
      sequence: attempt.sent,
      link: session.link,
      payload,
    });
  }
}
