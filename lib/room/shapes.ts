/** Shapes: what a decoded value must be. Each answers the value with its type, or throws a DecodeError that says what came. */
import { DecodeError } from "../base/errors.js";
import type { NodeId } from "../core/types.js";

export function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (
    typeof value !== "object" ||
    value === null ||
    Array.isArray(value) ||
    value instanceof Uint8Array
  ) {
    throw wrong(what, "an object", value);
  }
  return value as Readonly<Record<string, unknown>>;
}

export function array(value: unknown, what: string, lengthMax: number): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(what, "an array", value);
  if (value.length > lengthMax) {
    throw wrong(what, `an array of at most ${lengthMax}`, `${value.length} items`);
  }
  return value;
}

/** @param length  exactly so many, or any number up to `lengthMax`. */
export function bytes(value: unknown, what: string, length?: number, lengthMax = 0): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrong(what, "bytes", value);
  const fits = length === undefined ? value.length <= lengthMax : value.length === length;
  if (!fits) {
    throw wrong(what, `${length ?? `at most ${lengthMax}`} bytes`, `${value.length} bytes`);
  }
  return value;
}

export function text(value: unknown, what: string, lengthMax: number): string {
  if (typeof value !== "string") throw wrong(what, "a string", value);
  if (value.length > lengthMax) {
    throw wrong(what, `at most ${lengthMax} characters`, `${value.length} characters`);
  }
  return value;
}

/** A safe integer of at least `min`. */
export function integer(value: unknown, what: string, min: number): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min) {
    throw wrong(what, `a safe integer of at least ${min}`, value);
  }
  return value;
}

export function nodeId(value: unknown, what: string): NodeId {
  return integer(value, what, 1);
}

export function flag(value: unknown, what: string): boolean {
  if (typeof value !== "boolean") throw wrong(what, "true or false", value);
  return value;
}

function wrong(what: string, rule: string, value: unknown): DecodeError {
  const shown = typeof value === "string" ? value : value === null ? "null" : typeof value;
  return new DecodeError(`${what} must be ${rule}, got ${shown.slice(0, 60)}`);
}
