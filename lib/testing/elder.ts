/**
 * Elder: the first of two processes that run under one identity, on two copies of a store or on the same one.
 *
 * It stands still while the store is copied and until the second one speaks: what it promised in between the second could not know of,
 * and no protocol survives that. Then it goes on, hears everything and answers. Who listens is for the roster of each peer to say
 * (sim-transport.ts). It ends with the second one at the latest: a peer that starts later would have nobody to tell it which is the newer.
 */
import { equalBytes } from "../base/bytes.js";
import type { NodeId } from "../core/types.js";
import type { Boot } from "../transport/channel.js";
import type { SimMedium } from "./sim-medium.js";
import type { SimProcess } from "./sim-process.js";
import type { SimTransport } from "./sim-transport.js";

export class Elder {
  readonly #process: SimProcess;
  readonly #transport: SimTransport | undefined;
  readonly #medium: SimMedium;

  constructor(process: SimProcess, transport: SimTransport | undefined, medium: SimMedium) {
    this.#process = process;
    this.#transport = transport;
    this.#medium = medium;
    process.freeze();
  }

  receive(from: NodeId, bytes: Uint8Array): void {
    this.#process.enter(() => this.#transport?.deliver(from, bytes));
  }

  speaksAs({ nonce }: Boot): boolean {
    return this.#transport !== undefined && equalBytes(this.#transport.boot.nonce, nonce);
  }

  goOn(): void {
    if (this.#process.alive) this.#process.thaw();
  }

  end(): void {
    if (!this.#process.alive) return;
    this.#process.end();
    this.#medium.ended(this.#process);
  }
}
