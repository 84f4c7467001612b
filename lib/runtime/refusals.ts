/** What a caller is told when the core refuses: nothing has happened, and why. */
import { isLogboomError, LogboomError } from "../base/errors.js";
import type { Refusal } from "../core/results.js";

const texts: Partial<Record<Refusal, string>> = {
  transferring: "leadership is being handed over",
  tooMuchUncommitted: "too many bytes wait to be committed",
  pendingConfChange: "another change of membership is under way",
  mustLeaveJoint: "another change of membership is under way",
  invalidConfChange: "the change cannot be carried out on the present configuration",
  badTarget: "only a voter can take over",
  alreadyLeader: "that node leads already",
  inProgress: "it is under way already",
};

export function refusal(reason: Refusal): LogboomError {
  switch (reason) {
    case "notForwarding":
    case "notLeader":
    case "noLeader":
    case "notMember":
      return new LogboomError("NOT_LEADER", "this node does not lead", { reason });
    case "tooMuchLog":
      return new LogboomError("TOO_MUCH_LOG", "the log is full until a snapshot has cut it", {
        reason,
      });
    case "stopped":
      return new LogboomError("HALTED", "the node has stopped", { reason });
    default:
      return new LogboomError("PROPOSAL_DROPPED", texts[reason] ?? reason, { reason });
  }
}

export function closed(outcome: "none" | "unknown"): LogboomError {
  return new LogboomError("CLOSED", "the node was closed", { outcome });
}

export function halted(cause: unknown, outcome: "none" | "unknown" = "unknown"): LogboomError {
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new LogboomError("HALTED", `the node has stopped${why}`, { outcome, cause });
}

/** Why an opening failed: the failure itself, where it has a code. */
export function causeOf(halt: LogboomError): LogboomError {
  return isLogboomError(halt.cause) ? halt.cause : halt;
}
