/**
 * Lifeline: whether an opened store still works. It breaks once, for good, and says so once.
 *
 * A flush that failed must never be tried again (the kernel may have thrown the dirty pages away and report success the
 * second time, "fsyncgate"), so after the first failure every call is refused until the store is opened anew.
 */
import { LogboomError } from "../base/errors.js";

export interface Lifeline {
  /** @throws LogboomError `CLOSED`, or the first failure's code with that failure as `cause` (outcome none) */
  check(): void;
  /** Breaks it, unless it is closed or broken already; returns the error to reject the call at hand with. */
  fail(error: LogboomError): LogboomError;
  /** `work`'s outcome, or the failure as soon as there is one: an answer that comes later no longer counts. */
  guard<T>(work: Promise<T>): Promise<T>;
  /** Ends it in peace: no listener is called afterwards. True the first time. */
  close(): boolean;
  readonly broken: boolean;
  onLost(listener: (error: Error) => void): void;
}

export function createLifeline(name: string): Lifeline {
  let failure: LogboomError | undefined;
  let closed = false;
  const listeners: ((error: Error) => void)[] = [];
  // A set and not one promise to race with: every race would stay attached to it for the store's life.
  const waiting = new Set<(error: Error) => void>();
  return {
    check() {
      if (failure !== undefined) {
        throw new LogboomError(failure.code, `store ${name} failed before: ${failure.message}`, {
          cause: failure,
        });
      }
      if (closed) throw new LogboomError("CLOSED", `store ${name} is closed`);
    },
    fail(error) {
      if (failure !== undefined || closed) return error;
      failure = error;
      for (const reject of waiting) reject(error);
      waiting.clear();
      for (const listener of listeners.splice(0)) listener(error);
      return error;
    },
    guard(work) {
      return new Promise((resolve, reject) => {
        if (failure !== undefined) reject(failure);
        waiting.add(reject);
        work.then(resolve, reject).finally(() => waiting.delete(reject));
      });
    },
    close() {
      const first = !closed;
      closed = true;
      listeners.length = 0;
      return first;
    },
    get broken() {
      return failure !== undefined;
    },
    onLost(listener) {
      if (failure !== undefined) listener(failure);
      else if (!closed) listeners.push(listener);
    },
  };
}

/** `STORAGE_FAILED`, outcome unknown: part of it may have been carried out. */
export function storageFailed(what: string, cause?: unknown): LogboomError {
  const reason = cause instanceof Error ? `: ${cause.name}: ${cause.message}` : "";
  const advice = isFull(cause)
    ? " (no room is left: what was acknowledged stays; make room, then open the store again)"
    : "";
  const options = { outcome: "unknown", cause } as const;
  return new LogboomError("STORAGE_FAILED", `${what}${reason}${advice}`, options);
}

/** The browser's quota, the disk, or the user's share of it. */
function isFull(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const code = "code" in cause ? cause.code : undefined;
  return cause.name === "QuotaExceededError" || code === "ENOSPC" || code === "EDQUOT";
}

/** `STORAGE_LOCKED`: somebody else opened the store since. */
export function takenOver(name: string): LogboomError {
  return new LogboomError(
    "STORAGE_LOCKED",
    `store ${name} was taken over by another owner: this one must not write any more`,
  );
}
