/**
 * Sessions: every command takes effect at most once (dissertation §6.3).
 *
 * A caller that does not hear the end of a command proposes it again, so one command may be in the log twice. Each client has
 * a session: the outcomes of its commands from `low` on. A command met again gets the outcome it had. Commands of one client
 * may come in any order, since calls run side by side and are forwarded over different links.
 *
 * A session opens with a client's first command and ends 90 days of log time after its last, or earlier when there are more
 * than `sessionsMax` (the longest idle goes). How then is a late repetition told from the first command of a new client? Every
 * command carries `since`, the log time when its client was drawn, and `forgotten` is the highest log time at which an ended
 * session was last used. A client drawn after that cannot be one of the ended: it gets a session. Any other is `expired`,
 * and its command is not applied, now or later.
 *
 * Time here is log time from the entries, so every replica ends the same session at the same entry.
 *
 * Invariants: a session holds fewer than `unfinishedMax` outcomes (command.ts bounds sequence − low); the map is ordered by
 * last use, longest idle first.
 */
import { DecodeError } from "../base/errors.js";
import { type Command, unfinishedMax } from "./command.js";
import { type ClientId, isClientId } from "./seed.js";
import { type Value, weigh } from "./values.js";

/** Log time without a command after which a session ends: 90 days. */
export const sessionIdleMaxMs: number = 90 * 24 * 60 * 60 * 1000;
export const sessionsMax = 10_000;
/** Bytes of kept outcomes in all sessions, beyond which the longest idle session ends. One session alone may hold more. */
export const outcomesBytesMax: number = 32 * 1024 * 1024;

export type Outcome =
  | { readonly kind: "done"; readonly result: Value | undefined }
  | { readonly kind: "rejected"; readonly reason: string; readonly detail: Value | undefined };

interface Session {
  low: number;
  lastUsed: number;
  readonly outcomes: Map<number, Outcome>;
}

/** What is known of a command before it is run. */
export type Admission =
  | { readonly kind: "run" }
  | { readonly kind: "repeated"; readonly outcome: Outcome }
  | { readonly kind: "expired" };

/** Who sends a command, and which of that client's it is: all that a session looks at. */
export type Numbered = Pick<Command, "client" | "sequence" | "low" | "since">;

export interface Sessions {
  /** Ends what was idle too long, and says what to do with `command`. After `run` its outcome must be recorded. */
  admit(command: Numbered, logTime: number): Admission;
  record(command: Numbered, outcome: Outcome): void;
  outcomeOf(client: ClientId, sequence: number): Outcome | undefined;
  /** Number of open sessions. */
  size(): number;
  /** All of it as a value; `loadSessions` is the inverse. */
  save(): Value;
}

export function createSessions(): Sessions {
  return new SessionTable(new Map(), 0);
}

/** @throws DecodeError */
export function loadSessions(saved: Value | undefined): Sessions {
  const [forgotten, rows] = tuple(saved, 2, "sessions");
  const sessions = new Map<ClientId, Session>();
  for (const row of list(rows, "sessions")) {
    const [client, low, lastUsed, outcomes] = tuple(row, 4, "session");
    if (!isClientId(client) || sessions.has(client)) throw new DecodeError("session: bad client");
    sessions.set(client, {
      low: count(low, "session: low"),
      lastUsed: count(lastUsed, "session: lastUsed"),
      outcomes: loadOutcomes(outcomes),
    });
  }
  return new SessionTable(sessions, count(forgotten, "sessions: forgotten"));
}

class SessionTable implements Sessions {
  readonly #sessions: Map<ClientId, Session>;
  #forgotten: number;
  /** Bytes of all kept outcomes, at most. */
  #weight = 0;

  constructor(sessions: Map<ClientId, Session>, forgotten: number) {
    this.#sessions = sessions;
    this.#forgotten = forgotten;
    for (const { outcomes } of sessions.values()) {
      for (const outcome of outcomes.values()) this.#weight += weighOutcome(outcome);
    }
  }

  admit(command: Numbered, logTime: number): Admission {
    this.#endIdle(logTime);
    const session = this.#sessions.get(command.client) ?? this.#open(command, logTime);
    if (session === undefined) return { kind: "expired" };
    this.#use(command.client, session, logTime);
    this.#forgetBelow(session, command.low);
    const outcome = session.outcomes.get(command.sequence);
    if (outcome !== undefined) return { kind: "repeated", outcome };
    // Its client said that it knows the end: a repetition of what was applied, or was never to be applied again.
    if (command.sequence < session.low) return { kind: "expired" };
    return { kind: "run" };
  }

  record(command: Numbered, outcome: Outcome): void {
    this.#sessions.get(command.client)?.outcomes.set(command.sequence, outcome);
    this.#weight += weighOutcome(outcome);
    while (this.#weight > outcomesBytesMax && this.#sessions.size > 1) this.#endFirst();
  }

  outcomeOf(client: ClientId, sequence: number): Outcome | undefined {
    return this.#sessions.get(client)?.outcomes.get(sequence);
  }

  size(): number {
    return this.#sessions.size;
  }

  save(): Value {
    const rows = [...this.#sessions].map(([client, { low, lastUsed, outcomes }]) => [
      client,
      low,
      lastUsed,
      [...outcomes].map(([sequence, outcome]) => saveOutcome(sequence, outcome)),
    ]);
    return [this.#forgotten, rows];
  }

  #open(command: Numbered, logTime: number): Session | undefined {
    if (command.since < this.#forgotten) return undefined;
    if (this.#sessions.size >= sessionsMax) this.#endFirst();
    return { low: command.low, lastUsed: logTime, outcomes: new Map() };
  }

  /** Moves the session to the end of the map: the most recently used. */
  #use(client: ClientId, session: Session, logTime: number): void {
    this.#sessions.delete(client);
    session.lastUsed = logTime;
    this.#sessions.set(client, session);
  }

  #forgetBelow(session: Session, low: number): void {
    if (low <= session.low) return;
    session.low = low;
    for (const [sequence, outcome] of session.outcomes) {
      if (sequence >= low) continue;
      session.outcomes.delete(sequence);
      this.#weight -= weighOutcome(outcome);
    }
  }

  #endIdle(logTime: number): void {
    for (const session of this.#sessions.values()) {
      if (logTime - session.lastUsed <= sessionIdleMaxMs) return;
      this.#endFirst();
    }
  }

  #endFirst(): void {
    for (const [client, session] of this.#sessions) {
      this.#sessions.delete(client);
      this.#forgotten = Math.max(this.#forgotten, session.lastUsed + 1);
      for (const outcome of session.outcomes.values()) this.#weight -= weighOutcome(outcome);
      return;
    }
  }
}

function weighOutcome(outcome: Outcome): number {
  const value = outcome.kind === "done" ? outcome.result : outcome.detail;
  return 16 + (value === undefined ? 0 : weigh(value));
}

function saveOutcome(sequence: number, outcome: Outcome): Value {
  if (outcome.kind === "done") {
    return outcome.result === undefined ? [sequence] : [sequence, outcome.result];
  }
  // A third field, the reason, tells a rejection from a result.
  const { reason, detail } = outcome;
  return detail === undefined ? [sequence, null, reason] : [sequence, null, reason, detail];
}

function loadOutcomes(saved: Value | undefined): Map<number, Outcome> {
  const outcomes = new Map<number, Outcome>();
  const rows = list(saved, "session: outcomes");
  if (rows.length > unfinishedMax) throw new DecodeError("session: too many outcomes");
  for (const row of rows) {
    const [sequence, result, reason, detail] = list(row, "outcome");
    const outcome: Outcome =
      typeof reason === "string" ? { kind: "rejected", reason, detail } : { kind: "done", result };
    outcomes.set(count(sequence, "outcome: sequence"), outcome);
  }
  return outcomes;
}

/** A saved value as an array. @throws DecodeError */
export function list(value: Value | undefined, what: string): readonly Value[] {
  if (Array.isArray(value)) return value as readonly Value[];
  throw new DecodeError(`${what}: not an array`);
}

/** A saved value as an array of `length`. @throws DecodeError */
export function tuple(value: Value | undefined, length: number, what: string): readonly Value[] {
  const items = list(value, what);
  if (items.length === length) return items;
  throw new DecodeError(`${what}: ${items.length} fields instead of ${length}`);
}

/** A saved value as a safe integer from 0 on. @throws DecodeError */
export function count(value: Value | undefined, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new DecodeError(`${what}: not a count`);
}
