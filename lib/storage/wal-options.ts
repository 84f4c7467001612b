/** What a log in files may be told, complete and within its rules. Pure. */
import { LogboomError } from "../base/errors.js";
import type { WalLimits } from "./wal-log.js";
import type { Trailing } from "./wal-recovery.js";

/** A segment is read into one piece of memory. */
const segmentBytesMax = 1024 ** 3;
const counterMax = Number.MAX_SAFE_INTEGER;

/** @throws LogboomError `BAD_CONFIG` naming the option, the rule and the value */
export function completeWalOptions(
  options: Partial<WalLimits> & {
    readonly trailingEntries?: number;
    readonly trailingBytes?: number;
  },
  defaults: WalLimits,
): { readonly limits: WalLimits; readonly trailing: Trailing } {
  const { trailingEntries = 5000, trailingBytes = 24 * 1024 * 1024 } = options;
  const { segmentBytes = defaults.segmentBytes, segmentsKept = defaults.segmentsKept } = options;
  checkWhole("segmentBytes", segmentBytes, 1, segmentBytesMax);
  checkWhole("segmentsKept", segmentsKept, 0, counterMax);
  checkWhole("trailingEntries", trailingEntries, 0, counterMax);
  checkWhole("trailingBytes", trailingBytes, 0, counterMax);
  return {
    limits: { segmentBytes, segmentsKept },
    trailing: { entries: trailingEntries, bytes: trailingBytes },
  };
}

function checkWhole(option: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const rule = most === counterMax ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new LogboomError(
    "BAD_CONFIG",
    `${option} must be a whole number ${rule}, got ${String(value)}`,
  );
}
