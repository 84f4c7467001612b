/**
 * What a database holds, for the stand-in of IndexedDB: object stores of keys in order, and transactions as lists of changes.
 *
 * Keys are numbers, strings and arrays of them; values are copied on their way in and out, as structured cloning does. Pure.
 */

export type Key = number | string | readonly Key[];

/** The part of IDBKeyRange that is used. */
export class SimKeyRange {
  readonly lower: Key | undefined;
  readonly upper: Key | undefined;
  readonly lowerOpen: boolean;
  readonly upperOpen: boolean;

  constructor(lower?: Key, upper?: Key, lowerOpen = false, upperOpen = false) {
    this.lower = lower;
    this.upper = upper;
    this.lowerOpen = lowerOpen;
    this.upperOpen = upperOpen;
  }

  static only(key: Key): SimKeyRange {
    return new SimKeyRange(key, key);
  }
  static lowerBound(lower: Key, open = false): SimKeyRange {
    return new SimKeyRange(lower, undefined, open);
  }
  static upperBound(upper: Key, open = false): SimKeyRange {
    return new SimKeyRange(undefined, upper, false, open);
  }
  static bound(lower: Key, upper: Key, lowerOpen = false, upperOpen = false): SimKeyRange {
    return new SimKeyRange(lower, upper, lowerOpen, upperOpen);
  }

  includes(key: Key): boolean {
    const { lower, upper, lowerOpen, upperOpen } = this;
    const above = lower === undefined ? 1 : compareKeys(key, lower);
    const below = upper === undefined ? -1 : compareKeys(key, upper);
    return (above > 0 || (above === 0 && !lowerOpen)) && (below < 0 || (below === 0 && !upperOpen));
  }
}

/** Numbers before strings before arrays. (IndexedDB 3.0, "compare two keys") */
export function compareKeys(a: Key, b: Key): number {
  const [rankA, rankB] = [rank(a), rank(b)];
  if (rankA !== rankB) return rankA - rankB;
  if (typeof a === "object" && typeof b === "object") {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const order = compareKeys(a[i] as Key, b[i] as Key);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

function rank(key: Key): number {
  if (typeof key === "number") return 0;
  return typeof key === "string" ? 1 : 2;
}

/** One put, or, without a value, a deletion. */
export interface Change {
  readonly store: string;
  readonly key: Key;
  readonly value: unknown;
}

interface Row {
  readonly key: Key;
  readonly value: unknown;
}

export class Content {
  readonly #stores = new Map<string, Row[]>();

  get storeNames(): string[] {
    return [...this.#stores.keys()];
  }

  createStore(name: string): void {
    this.#stores.set(name, []);
  }

  copy(): Content {
    const copy = new Content();
    for (const [name, rows] of this.#stores) copy.#stores.set(name, [...rows]);
    return copy;
  }

  get(store: string, key: Key): unknown {
    const { rows, at, found } = this.#find(store, key);
    return found ? copyValue(rows[at]?.value) : undefined;
  }

  has(store: string, key: Key): boolean {
    return this.#find(store, key).found;
  }

  /** Keys and values within `range`, ascending. */
  rows(store: string, range: SimKeyRange | undefined, count: number): Row[] {
    const all = this.#rows(store);
    const within = range === undefined ? all : all.filter(({ key }) => range.includes(key));
    return within.slice(0, count).map(({ key, value }) => ({ key, value: copyValue(value) }));
  }

  /** Carries a change out; returns the one that takes it back. */
  apply({ store, key, value }: Change): Change {
    const { rows, at, found } = this.#find(store, key);
    const before = found ? rows[at]?.value : undefined;
    if (value === undefined) {
      if (found) rows.splice(at, 1);
    } else if (found) rows[at] = { key, value };
    else rows.splice(at, 0, { key, value });
    return { store, key, value: before };
  }

  /** The same with values of its own, so that damage to them is damage here alone. */
  apart(): Content {
    const copy = new Content();
    for (const [name, rows] of this.#stores) {
      const copies = rows.map(({ key, value }) => ({ key, value: copyValue(value) }));
      copy.#stores.set(name, copies);
    }
    return copy;
  }

  /** All byte strings in some stores, in order. */
  bytesIn(stores: readonly string[]): Uint8Array[] {
    const found: Uint8Array[] = [];
    for (const store of stores) {
      for (const { value } of this.#rows(store)) collectBytes(value, found);
    }
    return found;
  }

  #rows(store: string): Row[] {
    const rows = this.#stores.get(store);
    if (rows === undefined) throw new DOMException(`no object store ${store}`, "NotFoundError");
    return rows;
  }

  #find(store: string, key: Key): { rows: Row[]; at: number; found: boolean } {
    const rows = this.#rows(store);
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys((rows[middle] as Row).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    const row = rows[low];
    return { rows, at: low, found: row !== undefined && compareKeys(row.key, key) === 0 };
  }
}

function collectBytes(value: unknown, into: Uint8Array[]): void {
  if (value instanceof Uint8Array) {
    if (value.length > 0) into.push(value);
  } else if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) collectBytes(inner, into);
  }
}

/** A copy as structured cloning makes it, of the plain values that are stored. */
export function copyValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(copyValue);
  if (typeof value === "object" && value !== null) {
    const copy: Record<string, unknown> = {};
    for (const [name, inner] of Object.entries(value)) copy[name] = copyValue(inner);
    return copy;
  }
  if (typeof value === "function" || typeof value === "symbol") {
    throw new DOMException(`a ${typeof value} cannot be stored`, "DataCloneError");
  }
  return value;
}
