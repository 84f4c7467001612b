/**
 * A script's cluster: real nodes, a network that holds its messages, and everything they say in one output.
 *
 * etcd's two forms of Ready are printed from our one: in the plain form a write is stored and reported at once, in the
 * asynchronous form it becomes a message to a storage thread whose answers are delivered one by one. Compare etcd/raft rafttest/.
 *
 * Not here: the commands (script-commands.ts), the format of the files (datadriven.ts).
 */
import { type Random, seededRandom } from "../base/random.js";
import type { Config, LogLevel } from "../core/config.js";
import { bareMessage } from "../core/messages.js";
import { held, raftOf, stepLocal, takeHeld } from "../core/raw-node.js";
import { result, type StepResult } from "../core/results.js";
import {
  type Entry,
  localAppendThread,
  localApplyThread,
  type Message,
  type MessageType,
  type NodeId,
  noNode,
  type Ready,
  type Snapshot,
} from "../core/types.js";
import { ScriptError } from "./datadriven.js";
import { describeMessage, describeReady, type LocalMessage } from "./describe.js";
import { ScriptNode, type StorageWork } from "./script-node.js";

const levels = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"] as const;
const levelOf: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const silent = levels.length - 1;

export interface ScriptOptions {
  /** Settings for every node, over the script's own. */
  readonly config?: Partial<Config>;
  readonly random?: Random;
}

/** Runs one script's directives, in a cluster of its own. */
export class Script {
  readonly #nodes: ScriptNode[] = [];
  readonly #options: ScriptOptions;
  readonly #random: Random;
  /** In flight, for all nodes. */
  #messages: Message[] = [];
  #output = "";
  #level = 0;

  constructor(options: ScriptOptions = {}) {
    this.#options = options;
    this.#random = options.random ?? seededRandom(1);
  }

  /** Runs `inner` and returns what it wrote; a ScriptError is part of that. */
  capture(inner: () => void): string {
    this.#output = "";
    try {
      inner();
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      if (this.#level === silent) return error.message;
      this.#output += error.message;
    }
    return this.#output === "" ? "ok" : this.#output;
  }

  // — output —

  write(text: string): void {
    if (this.#level !== silent) this.#output += text;
  }

  /** Runs `inner` and indents what it writes. */
  indented(inner: () => void): void {
    const outer = this.#output;
    this.#output = "";
    try {
      inner();
    } finally {
      const lines = this.#output.split("\n");
      if (lines[lines.length - 1] === "") lines.pop();
      this.#output = outer + lines.map((line) => `  ${line}\n`).join("");
    }
  }

  setLevel(name: string): void {
    const level = (levels as readonly string[]).indexOf(name.toUpperCase());
    if (level < 0) {
      throw new ScriptError(`log levels must be either of [${levels.join(" ")}]`);
    }
    this.#level = level;
  }

  /** Runs `inner` at another level. */
  atLevel(name: string | undefined, inner: () => void): void {
    const before = this.#level;
    if (name !== undefined) this.setLevel(name);
    try {
      inner();
    } finally {
      this.#level = before;
    }
  }

  // — nodes —

  get nodes(): readonly ScriptNode[] {
    return this.#nodes;
  }

  node(id: NodeId): ScriptNode {
    const node = this.#nodes[id - 1];
    if (node === undefined) throw new ScriptError(`no node ${id}`);
    return node;
  }

  addNode(
    config: Omit<Config, "id" | "random" | "snapshot">,
    start: Snapshot,
    async: boolean,
  ): void {
    const node = new ScriptNode(
      {
        ...config,
        ...this.#options.config,
        id: this.#nodes.length + 1,
        random: this.#random,
        log: (level, text) => {
          if (this.#level <= levelOf[level]) this.write(`${level.toUpperCase()} ${text()}\n`);
        },
      },
      start,
      async,
    );
    this.#nodes.push(node);
  }

  // — the network —

  send(messages: readonly Message[]): void {
    this.#messages.push(...messages);
  }

  hasMessagesFor(id: NodeId): boolean {
    return this.#messages.some(({ to }) => to === id);
  }

  /** Delivers or drops what is in flight to `to`; the number of messages that were. */
  deliver(to: NodeId, type: MessageType | undefined, drop: boolean): number {
    const taken: Message[] = [];
    this.#messages = this.#messages.filter((message) => {
      const wanted =
        message.to === to &&
        (type === undefined || message.type === type) &&
        !(drop && isLocal(message));
      if (wanted) taken.push(message);
      return !wanted;
    });
    for (const message of taken) {
      this.write(`${drop ? "dropped: " : ""}${describeMessage(message)}\n`);
      if (!drop) this.#step(this.node(to), message);
    }
    return taken.length;
  }

  #step(node: ScriptNode, message: Message): void {
    if (message.from === localApplyThread) {
      const last = message.entries[message.entries.length - 1];
      if (last !== undefined) node.raw.applied(last.index);
      return;
    }
    if (message.from === localAppendThread) {
      stepLocal(node.raw, message);
      return;
    }
    if (message.from === node.raw.id && message.type.endsWith("Resp")) {
      // Our own answers come by way of the network here, and etcd asks of them what it asks of everybody's.
      if (!raftOf(node.raw).tracker.progress.has(message.from)) {
        this.write("raft: cannot step as peer not found\n");
      } else {
        stepLocal(node.raw, message);
      }
      return;
    }
    let outcome: StepResult = node.raw.step(message);
    if (!outcome.accepted && (outcome.reason === "malformed" || outcome.reason === "ownName")) {
      // A command has made it so (a snapshot sent at term 0, or to its sender), and etcd looks less closely.
      outcome = result(stepLocal(node.raw, message));
    }
    if (outcome.accepted) return;
    if (outcome.reason === "localType") this.write("raft: cannot step raft local message\n");
    else if (outcome.reason === "unknownPeer") this.write("raft: cannot step as peer not found\n");
    else if (message.type === "MsgProp") this.write("raft proposal dropped\n");
  }

  // — Ready —

  handleReady(node: ScriptNode): void {
    const ready = node.raw.ready();
    const work = node.async ? storageWork(node, ready) : [];
    const owed =
      node.async || ready.write === undefined
        ? []
        : held(node.raw, ready.write).filter(({ to }) => to !== node.raw.id);
    const hardState = ready.write?.hardState;
    const entries = ready.write?.entries ?? [];
    const last = node.lastHardState;
    const binding =
      hardState !== undefined && (hardState.term !== last.term || hardState.vote !== last.vote);
    if (hardState !== undefined) node.lastHardState = hardState;
    this.write(
      describeReady({
        softState: ready.softState,
        hardState,
        readStates: ready.readStates,
        entries,
        snapshot: ready.write?.snapshot,
        committedEntries: ready.committedEntries,
        messages: [...ready.messages, ...(node.async ? work.map(({ shown }) => shown) : owed)],
        mustSync: entries.length > 0 || binding,
      }),
    );
    if (node.async) {
      for (const each of work)
        (each.write === undefined ? node.applyWork : node.appendWork).push(each);
      this.send(ready.messages);
      return;
    }
    if (ready.write !== undefined) node.store.write(ready.write);
    node.apply(ready.committedEntries);
    this.send(ready.messages);
    if (ready.write !== undefined) this.send(node.raw.persisted(ready.write));
    const applied = ready.committedEntries[ready.committedEntries.length - 1];
    if (applied !== undefined) node.raw.applied(applied.index);
  }

  processAppend(node: ScriptNode): void {
    const work = this.#takeWork(node.appendWork, "no append work to perform");
    if (work?.write === undefined) return;
    this.#processing(work);
    node.store.write(work.write);
    const responses = takeHeld(node.raw, work.write);
    this.#respond(responses);
  }

  processApply(node: ScriptNode): void {
    const work = this.#takeWork(node.applyWork, "no apply work to perform");
    if (work === undefined) return;
    this.#processing(work);
    node.apply(work.shown.message.entries);
    this.#respond(work.shown.responses);
  }

  #takeWork(queue: StorageWork[], none: string): StorageWork | undefined {
    const work = queue.shift();
    if (work === undefined) this.write(none);
    return work;
  }

  #processing({ shown }: StorageWork): void {
    this.write(`Processing:\n${describeMessage({ ...shown, responses: [] })}\n`);
  }

  #respond(responses: readonly Message[]): void {
    this.write("Responses:\n");
    for (const response of responses) this.write(`${describeMessage(response)}\n`);
    this.send(responses);
  }
}

function isLocal({ from, to }: Message): boolean {
  return from === to || from < noNode || to < noNode;
}

/** The messages to storage threads that etcd's asynchronous form would have sent. */
function storageWork(node: ScriptNode, { write, committedEntries }: Ready): StorageWork[] {
  const work: StorageWork[] = [];
  const { id } = node.raw;
  if (write !== undefined) {
    const { hardState, entries, snapshot } = write;
    const message: Message = {
      ...bareMessage("MsgStorageAppend", {
        from: id,
        to: localAppendThread,
        term: hardState?.term ?? 0,
      }),
      commit: hardState?.commit ?? 0,
      entries,
      snapshot,
    };
    const shown = { message, vote: hardState?.vote ?? noNode, responses: held(node.raw, write) };
    work.push({ shown, write });
  }
  if (committedEntries.length > 0) {
    const message = storageApply("MsgStorageApply", id, localApplyThread, committedEntries);
    const response = storageApply("MsgStorageApplyResp", localApplyThread, id, committedEntries);
    const shown: LocalMessage = { message, vote: noNode, responses: [response] };
    work.push({ shown, write: undefined });
  }
  return work;
}

function storageApply(
  type: MessageType,
  from: NodeId,
  to: NodeId,
  entries: readonly Entry[],
): Message {
  return { ...bareMessage(type, { from, to, term: 0 }), entries };
}
