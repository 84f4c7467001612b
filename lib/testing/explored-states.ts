/**
 * Explored states: which states of a cluster were seen, and how each was first reached. Numbers in flat arrays, for there are millions.
 *
 * A state is known by 64 bits of hash: of twenty million states, two different ones are taken for one with a probability of 10⁻⁵.
 */

/** Numbers that grow at the end. */
export class Numbers {
  #words: Int32Array = new Int32Array(1 << 16);
  length = 0;

  push(value: number): void {
    if (this.length === this.#words.length) this.#grow(1);
    this.#words[this.length++] = value;
  }

  pushAll(values: ArrayLike<number>, count: number): void {
    if (this.length + count > this.#words.length) this.#grow(count);
    for (let i = 0; i < count; i++) this.#words[this.length++] = values[i] as number;
  }

  at(index: number): number {
    return this.#words[index] as number;
  }

  #grow(least: number): void {
    const words = new Int32Array(Math.max(this.length + least, this.#words.length * 2));
    words.set(this.#words);
    this.#words = words;
  }
}

/** A set of pairs of 32 bits: open addressing, half full at most. */
export class SeenStates {
  #slots: Int32Array = new Int32Array(1 << 16);
  count = 0;

  /** True if it is new. (0, 0) stands for an empty slot, and is taken for (0, 1). */
  add(high: number, low: number): boolean {
    if (4 * (this.count + 1) > this.#slots.length) this.#grow();
    const isNew = put(this.#slots, high, high === 0 && low === 0 ? 1 : low);
    if (isNew) this.count++;
    return isNew;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) {
      const high = old[at] as number;
      const low = old[at + 1] as number;
      if (high !== 0 || low !== 0) put(this.#slots, high, low);
    }
  }
}

function put(slots: Int32Array, high: number, low: number): boolean {
  const mask = slots.length / 2 - 1;
  for (let at = (high ^ Math.imul(low, 0x9e3779b1)) & mask; ; at = (at + 1) & mask) {
    const there = slots[2 * at] as number;
    const beside = slots[2 * at + 1] as number;
    if (there === high && beside === low) return false;
    if (there !== 0 || beside !== 0) continue;
    slots[2 * at] = high;
    slots[2 * at + 1] = low;
    return true;
  }
}

/** Spreads a number over 32 bits (murmur3's last step). */
export function spread(value: number): number {
  let z = value | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return z ^ (z >>> 16);
}
