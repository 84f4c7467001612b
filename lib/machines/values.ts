/**
 * Values: what inputs, results and states are made of, and the one form in which a machine's state holds them.
 *
 * Allowed are plain objects, arrays, strings (lone surrogates too), numbers (−0, NaN and the infinities too), booleans, null,
 * bigint and Uint8Array. A property that is `undefined` counts as absent. Everything else is refused with its path: a value
 * must be the same on every replica, after every restart, and JSON's silent conversions (Date to string, NaN to null) are not.
 *
 * `tame` is the one way in: it checks and copies what is new, and gives plain objects without a prototype, deeply frozen.
 * Without a prototype `cards["__proto__"]`, `["constructor"]` and `["toString"]` are as absent as any unknown key.
 * What was tamed before is taken over by identity, so taming a changed state costs the changed parts alone.
 *
 * The order of keys is part of a value: it is the objects' own (integer-like keys ascending, then the others as they were
 * added), which is what encoding and decoding keep.
 *
 * Invariant: a tamed container holds tamed values only; its weight and height are known.  Not here: bytes (msgpack.ts).
 */
import { must } from "../base/assert.js";
import { LogboomError } from "../base/errors.js";

export type Value =
  | string
  | number
  | boolean
  | null
  | bigint
  | Uint8Array
  | readonly Value[]
  | { readonly [key: string]: Value };

/** Containers may nest this deep. */
export const depthMax = 64;
/** What a format may add around a value: a snapshot's and a command's own arrays. */
export const envelopeDepthMax: number = depthMax + 8;
/** Bytes of a bigint's magnitude. */
export const bigintBytesMax = 1024;
/** Largest value by default, and the largest state: 64 MiB when encoded. */
export const stateBytesMax: number = 64 * 1024 * 1024;

/** For what was bounded elsewhere. A number that can be subtracted from, which Infinity is not. */
export const unboundedBytes: number = Number.MAX_SAFE_INTEGER;

export interface Bounds {
  /** Upper bound of the encoded size; default 64 MiB. */
  readonly bytesMax?: number;
  /** How deep containers may nest; default 64. */
  readonly levels?: number;
  readonly drafts?: Drafts;
}

/** How drafts are looked through. */
export interface Drafts {
  /** Given every container that is not yet tame; what it gives is taken instead. */
  unwrap(value: object): object;
  /** True for a working copy: nobody else writes to it, so it is tamed in place. */
  isOwn(value: object): boolean;
}

const noDrafts: Drafts = { unwrap: (value) => value, isOwn: () => false };

/** What a tamed container weighs: an upper bound of its encoded bytes, and how many containers deep it is (1: holds none). */
interface Measure {
  readonly weight: number;
  readonly height: number;
}

const measures = new WeakMap<object, Measure>();

/**
 * Throws unless `value` is allowed.
 *
 * @param what  how the message names the value, for instance `addCard: input`
 * @param bounds  see `Bounds`
 * @throws LogboomError `BAD_INPUT`, naming path and rule; `TOO_LARGE`
 */
export function checkValue(value: unknown, what: string, bounds: Bounds = {}): void {
  tame(value, what, bounds);
}

/**
 * `value` as a state holds it: copied where it is new, without prototypes, deeply frozen; tamed parts by identity.
 * (A Uint8Array cannot be frozen: it is copied once and must not be written to.)
 *
 * @throws LogboomError `BAD_INPUT`, naming path and rule; `TOO_LARGE`
 */
export function tame(value: unknown, what: string, bounds: Bounds = {}): Value {
  const { bytesMax = stateBytesMax, levels = depthMax, drafts = noDrafts } = bounds;
  const walk: Walk = { what, path: [], above: [], budget: bytesMax, bytesMax, levels, drafts };
  return tameAt(walk, value);
}

/** An upper bound of the bytes `value`, which must be tame, takes when encoded. */
export function weigh(value: Value): number {
  if (typeof value === "object" && value !== null) return measures.get(value)?.weight ?? 0;
  return weighScalar(value);
}

/** Number of bytes of `text` in UTF-8, a lone surrogate counting three. */
export function utf8Length(text: string): number {
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) length += 1;
    else if (unit < 0x800) length += 2;
    else if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(i + 1))) {
      length += 4;
      i++;
    } else length += 3;
  }
  return length;
}

export function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

export function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** One call of `tame` under way. */
interface Walk {
  readonly what: string;
  /** Keys and positions from the top to where we are. */
  readonly path: (string | number)[];
  /** The containers we are inside of. */
  readonly above: object[];
  /** Bytes left. */
  budget: number;
  readonly bytesMax: number;
  readonly levels: number;
  readonly drafts: Drafts;
}

function tameAt(walk: Walk, value: unknown): Value {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      spend(walk, weighScalar(value));
      return value;
    case "bigint":
      if (bigintBytes(value) > bigintBytesMax) {
        refuse(walk, `a bigint of more than ${bigintBytesMax} bytes`);
      }
      spend(walk, weighScalar(value));
      return value;
    case "object":
      if (value === null) {
        spend(walk, 1);
        return null;
      }
      return measures.has(value) ? share(walk, value) : tameNew(walk, walk.drafts.unwrap(value));
    default:
      return refuse(walk, value === undefined ? "undefined" : `a ${typeof value}`);
  }
}

/** Takes over what is tame already. Its weight counts again, or sharing would hide a state that cannot be written down. */
function share(walk: Walk, value: object): Value {
  const { weight, height } = must(measures.get(value), "a tamed container has its measure");
  spend(walk, weight);
  if (walk.above.length + height > walk.levels) refuseDepth(walk);
  return value as Value;
}

function tameNew(walk: Walk, value: object): Value {
  // What a draft without changes unwraps to.
  if (measures.has(value)) return share(walk, value);
  if (isBytes(value)) return tameBytes(walk, value);
  if (walk.above.includes(value)) refuse(walk, "a cycle");
  if (walk.above.length >= walk.levels) refuseDepth(walk);
  const before = walk.budget;
  spend(walk, 5);
  walk.above.push(value);
  const tamed = Array.isArray(value) ? tameArray(walk, value) : tamePlain(walk, value);
  walk.above.pop();
  measures.set(tamed.result, { weight: before - walk.budget, height: tamed.height });
  return Object.freeze(tamed.result) as Value;
}

function tameBytes(walk: Walk, value: Uint8Array): Uint8Array {
  const weight = 5 + value.length;
  spend(walk, weight);
  const copy = new Uint8Array(value);
  measures.set(copy, { weight, height: 0 });
  return copy;
}

/** A container whose contents are tame, and how many containers deep it is. */
interface Tamed {
  readonly result: object;
  readonly height: number;
}

function tameArray(walk: Walk, array: readonly unknown[]): Tamed {
  checkArray(walk, array);
  const result: Value[] = [];
  let height = 1;
  for (let i = 0; i < array.length; i++) {
    walk.path.push(i);
    const item = tameAt(walk, ownValue(walk, array, String(i)));
    walk.path.pop();
    result.push(item);
    height = Math.max(height, 1 + heightOf(item));
  }
  return { result, height };
}

/** The keys of a plain array are its positions and `length`. */
function checkArray(walk: Walk, array: readonly unknown[]): void {
  // Array.prototype is itself an array, in every realm; a subclass's prototype is not.
  if (!Array.isArray(Object.getPrototypeOf(array)))
    refuse(walk, `an instance of ${className(array)}`);
  // A length alone is no proof of as many items, so it is paid for before anything of that size is done.
  spend(walk, array.length);
  const keys = Reflect.ownKeys(array);
  if (keys.length < array.length + 1) refuse(walk, "an array with holes");
  if (keys.length > array.length + 1) refuse(walk, "an array with further properties");
}

function tamePlain(walk: Walk, object: object): Tamed {
  if (!isPlain(object)) refuse(walk, `an instance of ${className(object)}`);
  if (walk.drafts.isOwn(object)) return tameOwn(walk, object as Record<string, unknown>);
  const result = Object.create(null) as Record<string, Value>;
  let height = 1;
  for (const key of Reflect.ownKeys(object)) {
    if (typeof key === "symbol") return refuse(walk, "an object with a symbol as key");
    walk.path.push(key);
    if (key === "__proto__") refuse(walk, 'a property named "__proto__"');
    const value = ownValue(walk, object, key);
    if (value !== undefined) {
      spend(walk, weighScalar(key));
      const item = tameAt(walk, value);
      result[key] = item;
      height = Math.max(height, 1 + heightOf(item));
    }
    walk.path.pop();
  }
  return { result, height };
}

/** The same in place: a working copy has no prototype, and nothing but plain properties. (A map of thousands costs half.) */
function tameOwn(walk: Walk, object: Record<string, unknown>): Tamed {
  let height = 1;
  for (const key of Object.keys(object)) {
    const value = object[key];
    if (value === undefined) {
      delete object[key];
      continue;
    }
    spend(walk, weighScalar(key));
    walk.path.push(key);
    if (key === "__proto__") refuse(walk, 'a property named "__proto__"');
    const item = tameAt(walk, value);
    walk.path.pop();
    if (item !== value) object[key] = item;
    height = Math.max(height, 1 + heightOf(item));
  }
  return { result: object, height };
}

function ownValue(walk: Walk, object: object, key: string): unknown {
  const property = Object.getOwnPropertyDescriptor(object, key);
  if (property === undefined) return refuse(walk, "a hole");
  if (property.get !== undefined || property.set !== undefined) return refuse(walk, "an accessor");
  if (!property.enumerable) return refuse(walk, "a property that is not enumerable");
  return property.value;
}

/** True for objects written as literals, parsed from JSON or without prototype; also those of another realm (an iframe). */
export function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype === null || prototype === Object.prototype) return true;
  return (
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype as object, "hasOwnProperty") &&
    Object.hasOwn(prototype as object, "constructor")
  );
}

/** By tag rather than `instanceof`: another realm's, and Node's Buffer, are bytes too. */
export function isBytes(value: object): value is Uint8Array {
  return (
    ArrayBuffer.isView(value) &&
    (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "Uint8Array"
  );
}

function heightOf(value: Value): number {
  return typeof value === "object" && value !== null ? (measures.get(value)?.height ?? 0) : 0;
}

function weighScalar(value: string | number | boolean | bigint | null): number {
  if (typeof value === "string") return 5 + utf8Length(value);
  if (typeof value === "number") return 9;
  if (typeof value === "bigint") return 7 + bigintBytes(value);
  return 1;
}

function bigintBytes(value: bigint): number {
  const digits = value.toString(16).length - (value < 0n ? 1 : 0);
  return value === 0n ? 0 : Math.ceil(digits / 2);
}

function spend(walk: Walk, bytes: number): void {
  walk.budget -= bytes;
  if (walk.budget >= 0) return;
  throw new LogboomError("TOO_LARGE", `${walk.what} is larger than ${walk.bytesMax} bytes`);
}

function refuseDepth(walk: Walk): never {
  return refuse(walk, `nested deeper than ${walk.levels}`);
}

function refuse(walk: Walk, found: string): never {
  throw new LogboomError(
    "BAD_INPUT",
    `${walk.what}${showPath(walk.path)} is ${found}; allowed are plain objects, arrays, strings, numbers, booleans, null, bigint and Uint8Array`,
  );
}

function showPath(path: readonly (string | number)[]): string {
  let shown = "";
  for (const step of path.slice(0, 12)) {
    if (typeof step === "number") shown += `[${step}]`;
    else if (/^[A-Za-z_$][\w$]{0,63}$/.test(step)) shown += `.${step}`;
    else shown += `[${JSON.stringify(step.slice(0, 64))}]`;
  }
  return path.length > 12 ? `${shown}…` : shown;
}

function className(value: object): string {
  const maker: unknown = (value as { constructor?: unknown }).constructor;
  return typeof maker === "function" && maker.name !== "" ? maker.name : "a class";
}
