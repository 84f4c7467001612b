/** Runs quorum scripts: `committed` and `vote` over one or two majorities, drawn as bars. Every answer is checked against a slower way. */
import { assert } from "../base/assert.js";
import { ascending } from "../core/confchange.js";
import { hexId } from "../core/describe.js";
import {
  committedIndex,
  jointCommittedIndex,
  jointVoteResult,
  type VoteResult,
  voteResult,
} from "../core/quorum.js";
import type { Index, NodeId } from "../core/types.js";
import {
  argumentOf,
  argumentsOf,
  type Directive,
  parseInteger,
  ScriptError,
} from "./datadriven.js";

interface Majorities {
  readonly first: readonly NodeId[];
  readonly second: readonly NodeId[];
  readonly joint: boolean;
  /** In the order in which values are assigned. */
  readonly ids: readonly NodeId[];
}

export function runQuorumDirective(directive: Directive): string {
  try {
    if (directive.command === "committed") return committed(directive);
    if (directive.command === "vote") return vote(directive);
    return "unknown command";
  } catch (error) {
    if (error instanceof ScriptError) return error.message;
    throw error;
  }
}

function majorities(directive: Directive): Majorities {
  const read = (key: string): NodeId[] =>
    (argumentsOf(directive, key) ?? [])
      .filter((id) => id !== "zero" && id !== "")
      .map(parseInteger);
  const first = read("cfg");
  const second = read("cfgj");
  return {
    first: ascending(new Set(first)),
    second: ascending(new Set(second)),
    joint: argumentOf(directive, "cfgj") !== undefined,
    ids: [...new Set([...first, ...second])],
  };
}

/** `values` in the order of the ids; `_` says nothing. */
function assign<T>(
  { ids, joint, first, second }: Majorities,
  values: readonly string[],
  parse: (text: string) => T,
): Map<NodeId, T> {
  if (values.length !== ids.length) {
    const shown = (list: readonly NodeId[]): string => `(${list.map(hexId).join(" ")})`;
    const voters = joint ? `${shown(first)}&&${shown(second)}` : shown(first);
    throw new ScriptError(
      `error: mismatched input (explicit or _) for voters ${voters}: [${values.join(" ")}]`,
    );
  }
  const assigned = new Map<NodeId, T>();
  for (const [at, value] of values.entries()) {
    if (value !== "_") assigned.set(ids[at] as NodeId, parse(value));
  }
  return assigned;
}

function committed(directive: Directive): string {
  const config = majorities(directive);
  const indexes = assign(config, argumentsOf(directive, "idx") ?? [], parseInteger);
  const acked = (id: NodeId): Index => indexes.get(id) ?? 0;
  const { first, second, joint } = config;
  const index = joint ? jointCommittedIndex(first, second, acked) : committedIndex(first, acked);
  if (joint) assert(index === jointCommittedIndex(second, first, acked), "halves do not commute");
  else checkMajority(first, indexes, index);
  return `${bars(ascending(config.ids), indexes)}${index === Number.POSITIVE_INFINITY ? "∞" : index}\n`;
}

function checkMajority(
  voters: readonly NodeId[],
  indexes: ReadonlyMap<NodeId, Index>,
  index: Index,
): void {
  const acked = (id: NodeId): Index => indexes.get(id) ?? 0;
  assert(index === naiveCommittedIndex(voters, acked), "differs from the naive count", { index });
  assert(index === jointCommittedIndex(voters, [], acked), "differs from joint with nobody");
  assert(index === jointCommittedIndex(voters, voters, acked), "differs from joint with itself");
  for (const [id, own] of indexes) {
    if (own === 0 || own >= index) continue;
    for (const lower of [own - 1, 0]) {
      const lowered = (other: NodeId): Index => (other === id ? lower : acked(other));
      assert(index === committedIndex(voters, lowered), "who is behind does not count", { id });
    }
  }
}

/** The largest acknowledged index that more than half have reached. */
export function naiveCommittedIndex(
  voters: readonly NodeId[],
  acked: (id: NodeId) => Index,
): Index {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  let best = 0;
  for (const candidate of voters.map(acked)) {
    const holders = voters.filter((id) => acked(id) >= candidate).length;
    if (holders * 2 > voters.length) best = Math.max(best, candidate);
  }
  return best;
}

function bars(ids: readonly NodeId[], indexes: ReadonlyMap<NodeId, Index>): string {
  if (ids.length === 0) return "<empty majority quorum>";
  const sorted = ids
    .map((id) => ({ id, index: indexes.get(id) ?? 0 }))
    .sort((a, b) => a.index - b.index || a.id - b.id);
  const bar = new Map<NodeId, number>();
  let length = 0;
  for (const [at, { id, index }] of sorted.entries()) {
    if (at > 0 && index > (sorted[at - 1]?.index as Index)) length = at;
    bar.set(id, length);
  }
  const width = ids.length;
  let text = `${" ".repeat(width)}    idx\n`;
  for (const id of ids) {
    const known = indexes.get(id);
    const size = bar.get(id) as number;
    text +=
      known === undefined
        ? `?${" ".repeat(width)}`
        : `${"x".repeat(size)}>${" ".repeat(width - size)}`;
    text += ` ${String(known ?? 0).padStart(5)}    (id=${hexId(id)})\n`;
  }
  return text;
}

const voteTexts: Readonly<Record<VoteResult, string>> = {
  won: "VoteWon",
  lost: "VoteLost",
  pending: "VotePending",
};

function vote(directive: Directive): string {
  const config = majorities(directive);
  const votes = assign(config, argumentsOf(directive, "votes") ?? [], (value) => {
    if (value === "y") return true;
    if (value === "n") return false;
    throw new ScriptError(`unknown vote: ${value}`);
  });
  if (!config.joint) return `${voteTexts[voteResult(config.first, votes)]}\n`;
  const outcome = jointVoteResult(config.first, config.second, votes);
  const swapped = jointVoteResult(config.second, config.first, votes);
  assert(outcome === swapped, "halves do not commute");
  return `${voteTexts[outcome]}\n`;
}
