/**
 * Client: how a caller numbers its commands, so that replicas can tell a repetition from a new one (dissertation §6.3).
 *
 * Commands of one client may be under way at once and arrive in any order; `low` tells the replicas which results nobody
 * asks for any more. A command is proposed again with its own number until its end is known, never under a new one.
 */
import { LogboomError } from "../base/errors.js";
import { unfinishedMax } from "./command.js";
import type { ClientId } from "./seed.js";

export interface Client {
  readonly id: ClientId;
  /** See `Command.since`. */
  readonly since: number;
  /** Number for the next command. @throws LogboomError `TOO_LARGE` when 1024 are unfinished, counted from the lowest. */
  begin(): number;
  /** The end of `sequence` is known (applied here, or never to be sent again): its result may be forgotten. */
  finish(sequence: number): void;
  /** Lowest unfinished sequence, or the next one when all are finished: to be sent with each command. */
  low(): number;
}

/**
 * @param id  from `clientId`, new for every outbox; never shared by two
 * @param since  `replica.logTime` at this moment
 */
export function createClient(id: ClientId, since: number): Client {
  let next = 1;
  const unfinished = new Set<number>();
  // In order of insertion, which is ascending: the first is the lowest.
  const low = (): number => unfinished.values().next().value ?? next;
  return {
    id,
    since,
    begin() {
      if (next - low() >= unfinishedMax) {
        throw new LogboomError("TOO_LARGE", `more than ${unfinishedMax} commands are unfinished`);
      }
      unfinished.add(next);
      return next++;
    },
    finish(sequence) {
      unfinished.delete(sequence);
    },
    low,
  };
}
