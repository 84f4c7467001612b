/** Text forms of entries, messages, states and Readys, as etcd's scripts and tools show them (etcd/raft util.go). Ids are decimal
 *  but for a message's sender and receiver, which are hexadecimal. */
import { decodeConfChange } from "../core/confchange-codec.js";
import { describeRole, hexId, quote } from "../core/describe.js";
import {
  type ConfChangeSingle,
  type ConfChangeType,
  type ConfState,
  type Entry,
  type HardState,
  localAppendThread,
  localApplyThread,
  type Message,
  type NodeId,
  noNode,
  type ReadState,
  type Snapshot,
  type SoftState,
} from "../core/types.js";
import { ScriptError } from "./datadriven.js";

/** A message with what only those to the storage threads carry. */
export interface LocalMessage {
  readonly message: Message;
  readonly vote: NodeId;
  readonly responses: readonly Message[];
}

function endpoint(id: NodeId): string {
  if (id === noNode) return "None";
  if (id === localAppendThread) return "AppendThread";
  if (id === localApplyThread) return "ApplyThread";
  return hexId(id);
}

export function describeEntry(entry: Entry): string {
  const text =
    entry.type === "EntryNormal"
      ? quote(entry.data)
      : formatChanges(decodeConfChange(entry).changes);
  return `${entry.term}/${entry.index} ${entry.type}${text === "" ? "" : ` ${text}`}`;
}

export function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === noNode ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

export function describeSoftState({ leader, role }: SoftState): string {
  return `Lead:${leader} State:${describeRole(role)}`;
}

export function describeConfState(state: ConfState): string {
  const list = (ids: readonly NodeId[]): string => `[${ids.join(" ")}]`;
  return (
    `Voters:${list(state.voters)} VotersOutgoing:${list(state.votersOutgoing)} ` +
    `Learners:${list(state.learners)} LearnersNext:${list(state.learnersNext)} AutoLeave:${state.autoLeave}`
  );
}

export function describeSnapshot({ metadata }: Snapshot): string {
  return `Index:${metadata.index} Term:${metadata.term} ConfState:${describeConfState(metadata.confState)}`;
}

export function describeMessage(message: Message | LocalMessage, indent = ""): string {
  const local = "message" in message ? message : undefined;
  const m = local?.message ?? (message as Message);
  let text = `${indent}${endpoint(m.from)}->${endpoint(m.to)} ${m.type} Term:${m.term} Log:${m.logTerm}/${m.index}`;
  if (m.reject) text += ` Rejected (Hint: ${m.rejectHint})`;
  if (m.commit !== 0) text += ` Commit:${m.commit}`;
  if (local !== undefined && local.vote !== noNode) text += ` Vote:${local.vote}`;
  if (m.entries.length === 1) {
    text += ` Entries:[${describeEntry(m.entries[0] as Entry)}]`;
  } else if (m.entries.length > 1) {
    const lines = m.entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`);
    text += ` Entries:[${lines.join("")}\n${indent}]`;
  }
  if (m.snapshot !== undefined && m.snapshot.metadata.index !== 0) {
    text += `\n${indent}  Snapshot: ${describeSnapshot(m.snapshot)}`;
  }
  if (local !== undefined && local.responses.length > 0) {
    const lines = local.responses.map((each) => `\n${describeMessage(each, `${indent}  `)}`);
    text += ` Responses:[${lines.join("")}\n${indent}]`;
  }
  return text;
}

/** A Ready as etcd has it, where every message is in one list. */
export interface ReadyText {
  readonly softState: SoftState | undefined;
  readonly hardState: HardState | undefined;
  readonly readStates: readonly ReadState[];
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | undefined;
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly (Message | LocalMessage)[];
  readonly mustSync: boolean;
}

export function describeReady(ready: ReadyText): string {
  const lines: string[] = [];
  if (ready.softState !== undefined) lines.push(describeSoftState(ready.softState));
  if (ready.hardState !== undefined) lines.push(`HardState ${describeHardState(ready.hardState)}`);
  if (ready.readStates.length > 0) {
    const states = ready.readStates.map(
      ({ index, context }) => `{${index} [${[...context].join(" ")}]}`,
    );
    lines.push(`ReadStates [${states.join(" ")}]`);
  }
  if (ready.entries.length > 0) lines.push("Entries:", ...ready.entries.map(describeEntry));
  if (ready.snapshot !== undefined) lines.push(`Snapshot ${describeSnapshot(ready.snapshot)}`);
  if (ready.committedEntries.length > 0) {
    lines.push("CommittedEntries:", ...ready.committedEntries.map(describeEntry));
  }
  if (ready.messages.length > 0) {
    lines.push("Messages:", ...ready.messages.map((each) => describeMessage(each)));
  }
  if (lines.length === 0) return "<empty Ready>";
  return `Ready MustSync=${ready.mustSync}:\n${lines.map((line) => `${line}\n`).join("")}`;
}

const letters: Readonly<Record<string, ConfChangeType>> = {
  v: "ConfChangeAddNode",
  l: "ConfChangeAddLearnerNode",
  r: "ConfChangeRemoveNode",
  u: "ConfChangeUpdateNode",
};

/** `v1 l2 r3`. */
export function formatChanges(changes: readonly ConfChangeSingle[]): string {
  const letterOf = (type: ConfChangeType): string =>
    Object.keys(letters).find((letter) => letters[letter] === type) ?? "?";
  return changes.map(({ type, nodeId }) => `${letterOf(type)}${nodeId}`).join(" ");
}

/** @throws ScriptError with etcd's text for a token that is none. */
export function parseChanges(text: string): ConfChangeSingle[] {
  if (text.trim() === "") return [];
  return text
    .trim()
    .split(" ")
    .map((token) => {
      if (token.length < 2) throw new ScriptError(`unknown token ${token}`);
      const type = letters[token[0] as string];
      if (type === undefined) throw new ScriptError(`unknown input: ${token}`);
      if (!/^\d+$/.test(token.slice(1))) {
        throw new ScriptError(
          `strconv.ParseUint: parsing ${JSON.stringify(token.slice(1))}: invalid syntax`,
        );
      }
      return { type, nodeId: Number(token.slice(1)) };
    });
}
