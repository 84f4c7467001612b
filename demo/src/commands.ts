/**
 * Sending commands and saying what became of them.
 *
 * A command without a majority waits; the page then says so, instead of looking dead. Nothing is repeated here: a command that
 * may or may not have gone through is left to the person, who sees the board.
 */
import { isLogboomError, isRejected } from "logboom";
import { board } from "./board.js";

/** After this long a command that has no answer is called waiting. */
const patienceMs = 700;

export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "waiting" }
  | { readonly kind: "refused"; readonly reason: "taken" | "no-such-card" }
  | { readonly kind: "failed"; readonly message: string };

/** Runs one command and reports its outcome; "waiting" may come before the last word. */
export async function follow(
  command: Promise<unknown>,
  report: (outcome: Outcome) => void,
): Promise<void> {
  const patience = setTimeout(() => report({ kind: "waiting" }), patienceMs);
  try {
    await command;
    report({ kind: "done" });
  } catch (error) {
    report(failure(error));
  } finally {
    clearTimeout(patience);
  }
}

export function failure(error: unknown): Outcome {
  if (isRejected(error, board)) return { kind: "refused", reason: error.reason };
  const message = error instanceof Error ? error.message : String(error);
  if (isLogboomError(error) && error.outcome === "unknown")
    return { kind: "failed", message: `It is not known whether this went through: ${message}` };
  return { kind: "failed", message };
}

/** What one action is called while it waits, and when it is done. */
export interface Wording {
  readonly done: string;
  readonly waiting: string;
}

export function outcomeInWords(outcome: Outcome, title: string, wording: Wording): string {
  switch (outcome.kind) {
    case "done":
      return wording.done;
    case "waiting":
      return wording.waiting;
    case "refused":
      return outcome.reason === "taken"
        ? `“${title}” is taken: somebody was faster`
        : `“${title}” is no longer on the board`;
    case "failed":
      return outcome.message;
  }
}
