/**
 * Errors: what the world may see of a failure.
 *
 * One class for callers, with a code to branch on and an `outcome` that answers "may I retry?"; one for broken
 * invariants, which halts the node that throws it. Recognised by brand and code rather than `instanceof`, because two
 * copies of a bundle may meet in one page.
 */

/** Every code a caller may meet. */
export type ErrorCode =
  | "ABORTED"
  | "BAD_CONFIG"
  | "BAD_INPUT"
  | "BAD_INVITE"
  | "CLOSED"
  | "DECODE"
  | "HALTED"
  | "INSECURE_CONTEXT"
  | "LEADERSHIP_LOST"
  | "NOT_FOUND"
  | "NOT_LEADER"
  | "NOT_SUPPORTED"
  | "NO_STORAGE"
  | "NO_WEBRTC"
  | "PROPOSAL_DROPPED"
  | "REJECTED"
  | "SESSION_EXPIRED"
  | "STORAGE_FAILED"
  | "STORAGE_LOCKED"
  | "STORE_WENT_BACK"
  | "TOO_LARGE"
  | "TOO_MUCH_LOG"
  | "UPGRADE_NEEDED"
  | "WRONG_MACHINE";

/** `"none"`: nothing happened, retrying is safe. `"unknown"`: it may have happened, or still will. */
export type Outcome = "none" | "unknown";

const brand = "logboom/error/v1";

export class LogboomError extends Error {
  readonly logboom: string = brand;
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  /** What exactly stood in the way, where a code covers several things: why a proposal was dropped, a command rejected. */
  readonly reason: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { outcome?: Outcome; cause?: unknown; reason?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "LogboomError";
    this.code = code;
    this.outcome = options.outcome ?? "none";
    this.reason = options.reason;
  }
}

/** True for every error this library throws on purpose, also one from another copy of it. */
export function isLogboomError(error: unknown): error is LogboomError {
  return error instanceof Error && (error as Partial<LogboomError>).logboom === brand;
}

/** Bytes from outside that do not decode: the only thing a decoder throws. */
export class DecodeError extends LogboomError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super("DECODE", message, options);
    this.name = "DecodeError";
  }
}

/** We are wrong, or the disk lied: a property the algorithm rests on does not hold. The node that meets it stops. */
export class InvariantError extends Error {
  readonly details: Readonly<Record<string, unknown>>;

  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    const shown = Object.entries(details).map(([key, value]) => `${key}=${String(value)}`);
    super(shown.length === 0 ? message : `${message} (${shown.join(", ")})`);
    this.name = "InvariantError";
    this.details = details;
  }
}
