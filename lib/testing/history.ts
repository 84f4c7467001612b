/**
 * History: what clients called and were told, and the witness check against the committed sequence.
 *
 * The simulator knows the order in which commands were committed, so no search is needed: that order, replayed through a fresh
 * replica, must give every answer that was given, each within its call. What nobody was answered may be in it or not, once at
 * most. An independent search is in linearizability.ts.
 */

import type { Index } from "../core/types.js";
import type { AnyMachine, Immutable } from "../machines/machine.js";
import { type Applied, createReplica } from "../machines/replica.js";
import type { Value } from "../machines/values.js";
import type { Ledger } from "./ledger.js";
import { hashValue } from "./trace-hash.js";
import { Violation } from "./violation.js";

/** What a client was told; undefined while it waits, and for ever where the outcome is unknown. */
export type Answer =
  | { readonly kind: "done"; readonly result: Value | undefined }
  | { readonly kind: "rejected"; readonly reason: string };

export interface Called {
  readonly client: string;
  readonly sequence: number;
  readonly name: string;
  readonly input: Value | undefined;
  readonly calledAt: number;
  answeredAt: number | undefined;
  answer: Answer | undefined;
}

export interface ReadOf {
  readonly client: string;
  readonly calledAt: number;
  /** Highest index that anybody had been answered for when it began. */
  readonly floor: Index;
  answeredAt: number | undefined;
  /** Where it was served. */
  index: Index;
  state: Immutable<unknown> | undefined;
}

export interface History {
  readonly calls: Called[];
  readonly reads: ReadOf[];
}

/**
 * I22: what was answered is in the committed sequence, once, with that answer, within its call; I38: a read gave the state at an index
 * no older than what was acknowledged before it.
 *
 * @param commandOf  what a replica is given of an entry's data, undefined where nothing; the data itself by default
 * @throws Violation
 */
export function checkWitness(
  machine: AnyMachine,
  ledger: Ledger,
  history: History,
  commandOf: (data: Uint8Array) => Uint8Array | undefined = (data) => data,
): void {
  const replica = createReplica<unknown>(machine);
  const ran = new Map<string, { index: Index; at: number; outcome: Applied }>();
  const readsAt = readsByIndex(history.reads);
  checkReads(readsAt, ledger.base.index, replica.state);
  for (let index = ledger.base.index + 1; index <= ledger.lastCommitted; index++) {
    const committed = ledger.committed.get(index);
    if (committed === undefined)
      throw new Violation("I18", `the committed sequence has no entry ${index}`);
    const { type, term, data } = committed.entry;
    const command = type === "EntryNormal" && data.length > 0 ? commandOf(data) : undefined;
    if (command !== undefined) {
      const outcome = replica.apply({ index, term, data: command });
      note(ran, outcome, index, committed.at);
    }
    checkReads(readsAt, index, replica.state);
  }
  for (const call of history.calls) checkCall(call, ran.get(`${call.client}/${call.sequence}`));
}

function note(
  ran: Map<string, { index: Index; at: number; outcome: Applied }>,
  outcome: Applied,
  index: Index,
  at: number,
): void {
  if (outcome.kind !== "done" && outcome.kind !== "rejected") return;
  const key = `${outcome.client}/${outcome.sequence}`;
  if (outcome.repeated) {
    if (!ran.has(key))
      throw new Violation("I22", `${key} is called repeated at ${index}, and never ran`);
    return;
  }
  if (ran.has(key))
    throw new Violation("I22", `${key} ran at ${ran.get(key)?.index} and at ${index}`);
  ran.set(key, { index, at, outcome });
}

function checkCall(
  call: Called,
  found: { index: Index; at: number; outcome: Applied } | undefined,
): void {
  const { answer, answeredAt, calledAt } = call;
  const key = `${call.client}/${call.sequence}`;
  if (found !== undefined && found.at < calledAt)
    throw new Violation("I22", `${key} was committed before it was called`);
  if (answer === undefined || answeredAt === undefined) return;
  if (found === undefined)
    throw new Violation("I22", `${key} was answered and is not in the committed sequence`);
  if (found.at > answeredAt)
    throw new Violation("I22", `${key} was answered before it was committed`);
  if (hashValue(answer) !== hashValue(answerOf(found.outcome))) {
    throw new Violation(
      "I22",
      `${key} was answered ${JSON.stringify(answer)}, the committed sequence gives ${JSON.stringify(answerOf(found.outcome))}`,
    );
  }
}

/** An outcome as its caller sees it. */
export function answerOf(outcome: Applied): Answer | undefined {
  if (outcome.kind === "done") return { kind: "done", result: outcome.result };
  if (outcome.kind === "rejected") return { kind: "rejected", reason: outcome.reason };
  return undefined;
}

function readsByIndex(reads: readonly ReadOf[]): Map<Index, ReadOf[]> {
  const byIndex = new Map<Index, ReadOf[]>();
  for (const read of reads) {
    if (read.answeredAt === undefined) continue;
    const there = byIndex.get(read.index);
    if (there === undefined) byIndex.set(read.index, [read]);
    else there.push(read);
  }
  return byIndex;
}

function checkReads(readsAt: Map<Index, ReadOf[]>, index: Index, state: Immutable<unknown>): void {
  for (const read of readsAt.get(index) ?? []) {
    if (hashValue(read.state) !== hashValue(state)) {
      throw new Violation(
        "I38",
        `a read at ${index} gave ${JSON.stringify(read.state)}, the state there is ${JSON.stringify(state)}`,
      );
    }
    if (index < read.floor) {
      throw new Violation(
        "I38",
        `a read was served at ${index}, ${read.floor} was acknowledged before it began`,
      );
    }
  }
}
