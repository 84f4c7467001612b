/** SimLinks: the links of simulated RaftNodes as their transports tell of them: who is there, as which boot, and who is no more. */
import { equalBytes } from "../base/bytes.js";
import type { Random } from "../base/random.js";
import type { NodeId } from "../core/types.js";
import type { Boot } from "../transport/channel.js";
import type { Elder } from "./elder.js";
import type { SimTransport } from "./sim-transport.js";

/** A node that has a transport, while it runs. */
export interface LinkedNode {
  readonly id: NodeId;
  readonly running: boolean;
  /** As whom it speaks, once it does. */
  readonly boot: Boot | undefined;
  readonly elder: Elder | undefined;
  outdated: boolean;
  hears(peer: NodeId, boot: Boot): void;
  link(peer: NodeId, up: boolean, generation: number): void;
}

export interface LinksWorld {
  readonly random: Random;
  nodes(): readonly LinkedNode[];
  at(id: NodeId): LinkedNode | undefined;
  after(ms: number, run: () => void): void;
  sometimes(what: string): void;
}

/** That somebody is gone is noticed late; one that has come back by then was never missed. */
const noticedMs = 200;

export class SimLinks {
  readonly #world: LinksWorld;
  /** Of links that came up. */
  #generations = 0;

  constructor(world: LinksWorld) {
    this.#world = world;
  }

  bootOf(counter: number): Boot {
    return { counter, nonce: new Uint8Array(16).map(() => this.#world.random.below(256)) };
  }

  /** As a hello that reaches everybody at once: a peer that heard of the second of two boots late would believe the first until then. */
  introduce(id: NodeId, transport: SimTransport): void {
    for (const other of this.#world.nodes()) {
      if (other.id === id || other.boot === undefined) continue;
      other.hears(id, transport.boot);
      transport.hears(other.id, other.boot);
    }
  }

  /** Somebody would not hear what came of `boot`. */
  refused(from: NodeId, boot: Boot): void {
    const node = this.#world.at(from);
    if (node === undefined) return;
    if (node.elder?.speaksAs(boot) === true)
      this.#world.sometimes("the elder of two was not heard");
    else if (node.boot !== undefined && equalBytes(node.boot.nonce, boot.nonce)) {
      this.#world.sometimes("a store went back behind its boot");
      node.outdated = true;
    }
  }

  /** The links of `id` came up, or went down. */
  linked(id: NodeId, up: boolean): void {
    const generation = ++this.#generations;
    for (const other of this.#world.nodes()) {
      if (other.id === id) continue;
      this.#world.after(up ? 1 : noticedMs, () => {
        if (this.#world.at(id)?.running === up) other.link(id, up, generation);
      });
    }
  }

  /** The channel between the two was built anew. */
  rebuilt(a: NodeId, b: NodeId): void {
    const generation = ++this.#generations;
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const node = this.#world.at(one);
      node?.link(other, false, generation);
      node?.link(other, true, generation + 1);
    }
  }
}
