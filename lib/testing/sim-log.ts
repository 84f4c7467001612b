/**
 * SimLog: what happened, hashed as it happens; and the last of it as lines, a column for each thing one looks for first.
 */
import { raftOf } from "../core/raw-node.js";
import type { ConfState, Message } from "../core/types.js";
import { describeConf } from "./conf-model.js";
import type { EventQueue } from "./event-queue.js";
import type { SimPeer } from "./node-world.js";
import { hashNumber, hashText } from "./trace-hash.js";

const linesKept = 300;

interface Line {
  readonly at: number;
  readonly slot: number;
  readonly id: number;
  readonly what: string;
  readonly about: unknown;
  readonly role: string;
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  readonly first: number;
  readonly last: number;
}

export class SimLog {
  hash: number = 0x811c9dc5 | 0;
  readonly #queue: EventQueue;
  readonly #lines: Line[] = [];
  #next = 0;

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  add(node: SimPeer, what: string, about: unknown): void {
    const raft = node.core === undefined ? undefined : raftOf(node.core);
    const { now } = this.#queue;
    const line: Line = {
      at: now,
      slot: node.slot,
      id: node.id,
      what,
      about,
      role: raft?.role ?? "down",
      term: raft?.term ?? 0,
      commit: raft?.log.committed ?? 0,
      applied: node.applied,
      first: raft?.log.firstIndex ?? 0,
      last: raft?.log.lastIndex ?? 0,
    };
    this.#lines[this.#next++ % linesKept] = line;
    let { hash } = this;
    hash = hashNumber(hashNumber(hash, now * 1_000), line.id);
    hash = hashNumber(hashNumber(hash, line.term), line.commit * 4_096 + line.last);
    hash = hashText(hash, what);
    if (isMessage(about)) {
      hash = hashText(hash, about.type);
      hash = hashNumber(hashNumber(hash, about.index), about.from * 64 + about.to);
    }
    this.hash = hash;
  }

  text(): string {
    const from = Math.max(0, this.#next - linesKept);
    const lines = ["     ms  node      role      term  commit/applied  log        what"];
    for (let i = from; i < this.#next; i++) lines.push(lineOf(this.#lines[i % linesKept] as Line));
    return lines.join("\n");
  }
}

const roles: Readonly<Record<string, string>> = {
  leader: "LEADER",
  follower: "follower",
  candidate: "CANDIDATE",
  preCandidate: "preCand",
  down: "–",
};

function lineOf(line: Line): string {
  const column = (text: string | number, width: number): string => String(text).padEnd(width);
  return [
    line.at.toFixed(1).padStart(8),
    column(`${line.slot}:${line.id}`, 8),
    column(roles[line.role] ?? line.role, 10),
    column(line.term, 4),
    column(`${line.commit}/${line.applied}`, 14),
    column(`${line.first}:${line.last}`, 10),
    `${line.what} ${describeAbout(line.about)}`,
  ].join("  ");
}

function isMessage(about: unknown): about is Message {
  return typeof about === "object" && about !== null && "type" in about && "logTerm" in about;
}

function describeAbout(about: unknown): string {
  if (about === undefined) return "";
  if (isMessage(about)) return describeMessage(about);
  if (typeof about === "object" && about !== null && "votersOutgoing" in about)
    return describeConf(about as ConfState);
  return String(about);
}

function describeMessage(m: Message): string {
  const entries =
    m.entries.length === 0
      ? ""
      : ` entries ${m.entries.map((e) => `${e.index}/${e.term}`).join(" ")}`;
  const snapshot =
    m.snapshot === undefined
      ? ""
      : ` snapshot ${m.snapshot.metadata.index}/${m.snapshot.metadata.term}`;
  const reject = m.reject ? ` REJECT hint ${m.rejectHint}` : "";
  return `${m.type} ${m.from}→${m.to} term ${m.term} index ${m.index}/${m.logTerm} commit ${m.commit}${entries}${snapshot}${reject}`;
}
