/** Two ends of a channel in memory, driven by hand, for tests of what runs on channels. */

import type { Channel, ChannelHandlers } from "../../lib/transport/channel.js";
import type { LinkKind } from "../../lib/transport/transport.js";

export class TestChannel implements Channel {
  readonly kind: LinkKind;
  readonly messageBytesMax = 100;
  bufferedBytes = 0;
  /** What was sent and not yet carried over. */
  readonly sent: Uint8Array[] = [];
  open = true;
  other: TestChannel | undefined;
  handlers: ChannelHandlers | undefined;

  constructor(kind: LinkKind = "memory") {
    this.kind = kind;
  }

  listen(handlers: ChannelHandlers): void {
    this.handlers = handlers;
  }

  send(message: Uint8Array<ArrayBuffer>): boolean {
    if (!this.open) return false;
    this.sent.push(message);
    return true;
  }

  close(): void {
    this.open = false;
  }

  /** Carries what was sent to the other end. */
  flush(): void {
    for (const message of this.sent.splice(0)) {
      if (this.other?.open) this.other.handlers?.message(message);
    }
  }
}

export function channelPair(): readonly [TestChannel, TestChannel] {
  const [a, b] = [new TestChannel(), new TestChannel()];
  a.other = b;
  b.other = a;
  return [a, b];
}
