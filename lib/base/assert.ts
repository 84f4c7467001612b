/** Assertions: they stay on in production and cost a comparison. */
import { InvariantError } from "./errors.js";

/** Throws `InvariantError` with `details` unless `condition` holds. `message` names what is broken. */
export function assert(
  condition: boolean,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (!condition) throw new InvariantError(message, details);
}

/** `value`, which cannot be absent because of `why`. */
export function must<T>(value: T | undefined | null, why: string): T {
  if (value === undefined || value === null) throw new InvariantError(`absent: ${why}`);
  return value;
}
