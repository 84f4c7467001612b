/** The few expectations conformance suites need, without a test framework. */
import { hex } from "../../base/bytes.js";
import { type ErrorCode, isLogboomError } from "../../base/errors.js";

export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`expected: ${what}`);
}

/** Equal by value; byte arrays by their bytes. */
export function same(actual: unknown, expected: unknown): void {
  const [got, wanted] = [show(actual), show(expected)];
  if (got !== wanted) throw new Error(`expected ${clip(wanted)}, got ${clip(got)}`);
}

export async function rejects(code: ErrorCode, run: () => Promise<unknown>): Promise<void> {
  let outcome: unknown;
  try {
    await run();
    outcome = "it resolved";
  } catch (error) {
    if (isLogboomError(error) && error.code === code) return;
    outcome = error;
  }
  throw new Error(`expected a rejection with ${code}: ${String(outcome)}`, { cause: outcome });
}

function show(value: unknown): string {
  return (
    JSON.stringify(value, (_key, one: unknown) => {
      if (one instanceof Uint8Array) return `bytes ${hex(one)}`;
      if (one === undefined) return "undefined";
      if (typeof one !== "object" || one === null || Array.isArray(one)) return one;
      return Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? "undefined"
  );
}

function clip(text: string): string {
  return text.length <= 2_000 ? text : `${text.slice(0, 1_000)} … ${text.slice(-1_000)}`;
}
