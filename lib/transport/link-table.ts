/**
 * Link table: the links to each peer, the one in use, and the events about it.
 *
 * A port goes before WebRTC, WebRTC before BroadcastChannel. When a better link opens it takes over: the peer gets a new generation, and
 * frames that still come by the old one are dropped. The old one is kept for a moment without use, because the other side may
 * be a moment behind, and closed then.
 *
 * Not here: who dials and when (signaling.ts).
 */
import type { Cancel, Clock } from "../base/clock.js";
import { createEmitter, type Emitter } from "../base/emitter.js";
import type { NodeId } from "../core/types.js";
import type { Channel, Credentials } from "./channel.js";
import { Link } from "./link.js";
import type { LinkKind, PeerEvent } from "./transport.js";

const preference: readonly LinkKind[] = ["port", "websocket", "webrtc", "memory", "broadcast"];
/** How long a link that was taken over from stays: longer than the other side needs to notice. */
const standbyMs = 2000;

interface Entry {
  readonly link: Link;
  generation: number;
  readonly credentials: Credentials | undefined;
  retiring: Cancel | undefined;
}

interface Row {
  readonly entries: Map<LinkKind, Entry>;
  active: Entry | undefined;
}

export interface LinkTableOptions {
  readonly clock: Clock;
  onFrame(from: NodeId, frame: Uint8Array): void;
  /** A link is gone, by whatever cause but `close`. */
  onGone(peer: NodeId, kind: LinkKind): void;
  /** A peer broke the protocol of its link. */
  onMalformed(): void;
}

export class LinkTable {
  readonly events: Emitter<PeerEvent> = createEmitter<PeerEvent>();
  readonly #options: LinkTableOptions;
  readonly #rows = new Map<NodeId, Row>();
  /** Counted over all peers, so that a peer's row can be forgotten with its last link. */
  #generation = 0;

  constructor(options: LinkTableOptions) {
    this.#options = options;
  }

  /** A channel is open and the other end known. It becomes the link in use, unless a better one is. */
  add(peer: NodeId, channel: Channel, credentials: Credentials | undefined): void {
    const row = this.#row(peer);
    const { kind } = channel;
    const entry: Entry = {
      link: new Link(channel, this.#options.clock, {
        frame: (frame) => {
          if (row.active === entry) this.#options.onFrame(peer, frame);
        },
        down: (reason, malformed) => {
          if (malformed) this.#options.onMalformed();
          this.#remove(peer, row, entry, reason);
        },
      }),
      generation: 0,
      credentials,
      retiring: undefined,
    };
    const same = row.entries.get(kind);
    row.entries.set(kind, entry);
    if (same !== undefined) {
      same.retiring?.();
      same.link.close();
    }
    this.#choose(peer, row);
  }

  send(peer: NodeId, frame: Uint8Array, bulk: boolean): boolean {
    return this.#rows.get(peer)?.active?.link.send(frame, bulk) ?? false;
  }

  peers(): readonly NodeId[] {
    return [...this.#rows].filter(([, row]) => row.active !== undefined).map(([peer]) => peer);
  }

  via(peer: NodeId): LinkKind | undefined {
    return this.#rows.get(peer)?.active?.link.kind;
  }

  credentials(peer: NodeId): Credentials | undefined {
    return this.#rows.get(peer)?.active?.credentials;
  }

  /** A boot of `peer` has ended, and with it every link that was dialled. A port ends by itself, and may be of a later boot already. */
  drop(peer: NodeId, reason: string): void {
    const row = this.#rows.get(peer);
    if (row === undefined) return;
    for (const entry of [...row.entries.values()]) {
      if (entry.link.kind === "port") continue;
      entry.link.close();
      this.#remove(peer, row, entry, reason);
    }
  }

  /** No event and no frame afterwards. */
  close(): void {
    this.events.clear();
    for (const row of this.#rows.values()) {
      for (const entry of row.entries.values()) {
        entry.retiring?.();
        entry.link.close();
      }
    }
    this.#rows.clear();
  }

  #row(peer: NodeId): Row {
    const row = this.#rows.get(peer) ?? { entries: new Map(), active: undefined };
    this.#rows.set(peer, row);
    return row;
  }

  #remove(peer: NodeId, row: Row, entry: Entry, reason: string): void {
    entry.retiring?.();
    const { kind } = entry.link;
    row.entries.delete(kind);
    if (row.active === entry) {
      row.active = undefined;
      this.events.emit({ type: "down", peer, generation: entry.generation, reason });
    }
    this.#options.onGone(peer, kind);
    this.#choose(peer, row);
    if (row.entries.size === 0 && this.#rows.get(peer) === row) this.#rows.delete(peer);
  }

  /** Puts the best link to use. */
  #choose(peer: NodeId, row: Row): void {
    const best = preference
      .map((kind) => row.entries.get(kind))
      .find((entry) => entry !== undefined);
    if (best === row.active || best === undefined) return;
    best.retiring?.();
    best.retiring = undefined;
    best.generation = ++this.#generation; // also when an earlier link is put to use again
    row.active = best;
    this.#retireOthers(peer, row);
    this.events.emit({ type: "up", peer, generation: best.generation, via: best.link.kind });
  }

  #retireOthers(peer: NodeId, row: Row): void {
    for (const entry of row.entries.values()) {
      if (entry === row.active || entry.retiring !== undefined) continue;
      entry.retiring = this.#options.clock.after(standbyMs, () => {
        entry.link.close();
        this.#remove(peer, row, entry, "a better link took over");
      });
    }
  }
}
