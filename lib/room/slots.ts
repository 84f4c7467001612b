/**
 * Slots: the peers' stores of this profile, each held by a Web Lock for as long as somebody runs its peer.
 *
 * A lock ends with its page, also when the page crashes, so "is free" needs no heartbeat. A tab takes the free slot that was a
 * voter last; a duplicated tab finds it taken and gets a fresh one. Identity is never in sessionStorage, which tabs copy.
 */
import { hex } from "../base/bytes.js";
import { addSlot, changeSlot, type Registry, removeSlot, type SlotRecord } from "./registry.js";

export interface HeldSlot {
  readonly id: string;
  readonly storeName: string;
  /** True when this call made it: its store is empty. */
  readonly fresh: boolean;
  /** Lets go of the lock. Idempotent. */
  release(): void;
}

export class Slots {
  readonly #registry: Registry;
  readonly #roomId: string;

  constructor(registry: Registry, roomId: string) {
    this.#registry = registry;
    this.#roomId = roomId;
  }

  /** A free slot, the one that was a voter last first, else a new one. */
  async takeOwn(wall: number): Promise<HeldSlot> {
    const known = [...(await this.list())].sort(
      (a, b) => Number(b.voter) - Number(a.voter) || b.usedAt - a.usedAt,
    );
    for (const slot of known) {
      const held = await this.tryHold(slot.id);
      if (held !== undefined) return held;
    }
    return this.create(wall);
  }

  /** A new slot, held. */
  async create(wall: number): Promise<HeldSlot> {
    const id = hex(crypto.getRandomValues(new Uint8Array(8)));
    await addSlot(this.#registry, this.#roomId, {
      id,
      nodeId: undefined,
      voter: false,
      usedAt: wall,
    });
    const held = await this.tryHold(id);
    if (held === undefined) throw new Error("a lock of a name just drawn is taken");
    return { ...held, fresh: true };
  }

  /** The slot if nobody runs its peer; undefined otherwise. */
  tryHold(id: string): Promise<HeldSlot | undefined> {
    return new Promise((resolve, reject) => {
      const name = this.#lockName(id);
      navigator.locks
        .request(name, { ifAvailable: true }, (lock) => {
          if (lock === null) {
            resolve(undefined);
            return undefined;
          }
          return new Promise<void>((release) => {
            resolve({ id, storeName: this.#storeName(id), fresh: false, release });
          });
        })
        .catch(reject);
    });
  }

  /** The slots nobody holds right now. */
  async free(): Promise<readonly SlotRecord[]> {
    const [{ held = [] }, slots] = await Promise.all([navigator.locks.query(), this.list()]);
    const taken = new Set(held.map((lock) => lock.name));
    return slots.filter((slot) => !taken.has(this.#lockName(slot.id)));
  }

  async list(): Promise<readonly SlotRecord[]> {
    return (await this.#registry.get(this.#roomId))?.slots ?? [];
  }

  note(id: string, change: Partial<Omit<SlotRecord, "id">>): Promise<void> {
    return changeSlot(this.#registry, this.#roomId, id, change);
  }

  /** Strikes the slot off. The caller has deleted its store. */
  forget(id: string): Promise<void> {
    return removeSlot(this.#registry, this.#roomId, id);
  }

  #lockName(id: string): string {
    return `logboom/${this.#roomId}/slot/${id}`;
  }

  #storeName(id: string): string {
    return `logboom/${this.#roomId}/${id}`;
  }
}
