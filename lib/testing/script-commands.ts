/**
 * The commands of interaction scripts: etcd/raft's, with its words for every error, and a few of ours for what its files cannot reach.
 * Compare etcd/raft rafttest/interaction_env_handler*.go.
 */
import { isLogboomError } from "../base/errors.js";
import { encodeConfChange } from "../core/confchange-codec.js";
import type { Config } from "../core/config.js";
import { describeProgress, describeRole } from "../core/describe.js";
import { proposedEntry } from "../core/entries.js";
import { proposalMessage, snapshotMessage } from "../core/messages.js";
import { raftOf, stepLocal } from "../core/raw-node.js";
import type { Result } from "../core/results.js";
import type { ConfChangeTransition, MessageType, NodeId } from "../core/types.js";
import {
  argumentOf,
  argumentsOf,
  type Directive,
  parseBoolean,
  parseInteger,
  ScriptError,
} from "./datadriven.js";
import { describeEntry, describeMessage, parseChanges } from "./describe.js";
import type { Script } from "./script.js";
import { emptySnapshot, type ScriptNode } from "./script-node.js";

const utf8 = new TextEncoder();

/** Runs `directive` in `script`; its output. */
export function runCommand(script: Script, directive: Directive): string {
  return script.capture(() => {
    const command = commands.get(directive.command);
    if (command === undefined) throw new ScriptError("unknown command");
    command(script, directive);
  });
}

type Command = (script: Script, directive: Directive) => void;

const commands: ReadonlyMap<string, Command> = new Map<string, Command>(
  Object.entries<Command>({
    _breakpoint: () => {},
    "add-nodes": addNodes,
    campaign: (script, d) => {
      firstNode(script, d).raw.campaign();
    },
    compact: (script, d) => {
      const node = firstNode(script, d);
      node.compact(integerKey(d, 1));
      printLog(script, node);
    },
    "deliver-msgs": deliverMessages,
    "forget-leader": (script, d) => {
      firstNode(script, d).raw.forgetLeader();
    },
    "log-level": (script, d) => script.setLevel(key(d, 0)),
    "process-append-thread": (script, d) =>
      eachNode(script, d, "processing append thread", (node) => script.processAppend(node)),
    "process-apply-thread": (script, d) =>
      eachNode(script, d, "processing apply thread", (node) => script.processApply(node)),
    "process-ready": (script, d) =>
      eachNode(script, d, "handling Ready", (node) => script.handleReady(node)),
    propose: (script, d) => {
      const outcome = firstNode(script, d).raw.propose(utf8.encode(key(d, 1)));
      if (!outcome.accepted) throw new ScriptError("raft proposal dropped");
    },
    "propose-conf-change": proposeConfChange,
    "raft-log": (script, d) => printLog(script, firstNode(script, d)),
    "raft-state": printStates,
    "report-unreachable": (script, d) => {
      const [id, peer] = bareIds(d);
      if (id === undefined || peer === undefined || bareIds(d).length !== 2) {
        throw new ScriptError(
          "must specify exactly two node indexes: node on which to report, and reported node",
        );
      }
      script.node(id).raw.reportUnreachable(peer);
    },
    "send-snapshot": sendSnapshot,
    "set-randomized-election-timeout": (script, d) => {
      raftOf(firstNode(script, d).raw).electionTimeout = parseInteger(
        argumentOf(d, "timeout") ?? "",
      );
    },
    stabilize: (script, d) =>
      script.atLevel(argumentOf(d, "log-level"), () => stabilize(script, d)),
    status: printStatus,
    "tick-election": (script, d) => tick(firstNode(script, d), "electionTicks"),
    "tick-heartbeat": (script, d) => tick(firstNode(script, d), "heartbeatTicks"),
    "transfer-leadership": (script, d) => {
      const target = parseInteger(argumentOf(d, "to") ?? "");
      script.node(parseInteger(argumentOf(d, "from") ?? "")).raw.transferLeader(target);
    },

    // Ours: what etcd's scripts cannot reach.
    "read-index": (script, d) =>
      report(script, firstNode(script, d).raw.readIndex(utf8.encode(key(d, 1)))),
    "report-snapshot": (script, d) => {
      firstNode(script, d).raw.reportSnapshot(
        integerKey(d, 1),
        key(d, 2) === "arrived" ? "arrived" : "failed",
      );
    },
    "request-snapshot": (script, d) => report(script, firstNode(script, d).raw.requestSnapshot()),
    "snapshot-available": (script, d) => {
      firstNode(script, d).snapshotAvailable = parseBoolean(key(d, 1));
    },
    ping: (script, d) => report(script, firstNode(script, d).raw.ping()),
    restart: (script, d) => firstNode(script, d).restart(),
    tick: (script, d) => {
      for (let at = 0; at < integerKey(d, 1); at++) firstNode(script, d).raw.tick();
    },
  }),
);

/** Says why a request was refused; nothing if it was not. */
function report(script: Script, outcome: Result): void {
  if (!outcome.accepted) script.write(`refused: ${outcome.reason}\n`);
}

function key(d: Directive, at: number): string {
  const arg = d.args[at];
  if (arg === undefined) throw new ScriptError(`${d.command} needs ${at + 1} arguments`);
  return arg.key;
}

function integerKey(d: Directive, at: number): number {
  return parseInteger(key(d, at));
}

function firstNode(script: Script, d: Directive): ScriptNode {
  return script.node(integerKey(d, 0));
}

/** Every argument without a value, as a number. */
function bareIds(d: Directive): NodeId[] {
  return d.args.filter(({ values }) => values.length === 0).map((arg) => parseInteger(arg.key));
}

function eachNode(
  script: Script,
  d: Directive,
  doing: string,
  run: (node: ScriptNode) => void,
): void {
  const ids = bareIds(d);
  for (const id of ids) {
    if (ids.length === 1) {
      run(script.node(id));
    } else {
      script.write(`> ${id} ${doing}\n`);
      script.indented(() => run(script.node(id)));
    }
  }
}

type NodeConfig = Omit<Config, "id" | "random" | "snapshot">;

function addNodes(script: Script, d: Directive): void {
  const count = integerKey(d, 0);
  const ids = (name: string): NodeId[] =>
    (argumentsOf(d, name) ?? []).filter((id) => id !== "").map(parseInteger);
  const index = parseInteger(argumentOf(d, "index") ?? "0");
  const content = argumentOf(d, "content") ?? "";
  const [voters, learners] = [ids("voters"), ids("learners")];
  const async = parseBoolean(argumentOf(d, "async-storage-writes") ?? "false");
  let start = emptySnapshot;
  if (voters.length > 0 || learners.length > 0 || index !== 0 || content !== "") {
    if (index <= 1) throw new ScriptError("index must be specified as > 1 due to bootstrap");
    const confState = { ...emptySnapshot.metadata.confState, voters, learners };
    start = {
      metadata: { index, term: 1, confState },
      data: utf8.encode(content),
      unknown: undefined,
    };
  }
  const config = nodeConfig(d, async);
  for (let at = 0; at < count; at++) {
    try {
      script.addNode(config, start, async);
    } catch (error) {
      if (isLogboomError(error) && error.code === "BAD_CONFIG") {
        throw new ScriptError(configError(config) ?? error.message);
      }
      throw error;
    }
  }
}

function nodeConfig(d: Directive, async: boolean): NodeConfig {
  const flag = (name: string): boolean => parseBoolean(argumentOf(d, name) ?? "false");
  const number = (name: string, otherwise: number): number =>
    parseInteger(argumentOf(d, name) ?? "0") || otherwise;
  const unlimited = Number.POSITIVE_INFINITY;
  const reads = argumentOf(d, "read-only") ?? "safe";
  if (reads !== "safe" && reads !== "lease-based") {
    throw new ScriptError(`invalid read-only option ${JSON.stringify(reads)}`);
  }
  const inflight = argumentOf(d, "inflight");
  return {
    electionTicks: 3,
    heartbeatTicks: 1,
    preVote: flag("prevote"),
    checkQuorum: flag("checkquorum"),
    reads: reads === "safe" ? "safe" : "lease",
    validateConfChanges: !flag("disable-conf-change-validation"),
    stepDownOnRemoval: flag("step-down-on-removal"),
    inflightAppendsMax: inflight === undefined ? unlimited : parseInteger(inflight),
    applyBytesMax: number("max-committed-size-per-ready", unlimited),
    reportCommit: false,
    logBytesMax: unlimited,
    voteRequests: "atOnce",
    applyUnpersisted: { entries: async ? 0 : unlimited, roles: "all" },
    // Ours.
    appendBytesMax: number("max-size-per-msg", unlimited),
    inflightBytesMax: number("max-inflight-bytes", unlimited),
    uncommittedBytesMax: number("max-uncommitted-size", unlimited),
    forwardProposals: !flag("disable-proposal-forwarding"),
    priority: number("priority", 0),
    batchAppends: flag("batch-append"),
    skipBroadcastCommit: flag("skip-bcast-commit"),
  };
}

/** etcd's words for the rule that is broken. */
function configError(config: NodeConfig): string | undefined {
  if (config.inflightAppendsMax === 0) return "max inflight messages must be greater than 0";
  if (config.reads === "lease" && !config.checkQuorum) {
    return "CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased";
  }
  return undefined;
}

function deliverMessages(script: Script, d: Directive): void {
  const type = argumentOf(d, "type") as MessageType | undefined;
  const recipients: { readonly id: NodeId; readonly drop: boolean }[] = [];
  for (const { key: name, values } of d.args) {
    if (values.length === 0) recipients.push({ id: parseInteger(name), drop: false });
    if (name !== "drop") continue;
    for (const value of values) {
      const id = parseInteger(value);
      if (recipients.some((each) => each.id === id)) {
        throw new ScriptError(`can't both deliver and drop msgs to ${id}`);
      }
      recipients.push({ id, drop: true });
    }
  }
  let handled = 0;
  for (const { id, drop } of recipients) handled += script.deliver(id, type, drop);
  if (handled === 0) script.write("no messages\n");
}

function stabilize(script: Script, d: Directive): void {
  const ids = bareIds(d);
  const nodes = ids.length > 0 ? ids.map((id) => script.node(id)) : [...script.nodes];
  for (let busy = true; busy; ) {
    busy = false;
    const phase = (
      wanted: (node: ScriptNode) => boolean,
      doing: string,
      run: (node: ScriptNode) => void,
    ): void => {
      for (const node of nodes) {
        if (!wanted(node)) continue;
        script.write(`> ${node.raw.id} ${doing}\n`);
        run(node);
        busy = true;
      }
    };
    phase(
      (node) => node.raw.hasReady(),
      "handling Ready",
      (node) => script.indented(() => script.handleReady(node)),
    );
    phase(
      (node) => script.hasMessagesFor(node.raw.id),
      "receiving messages",
      (node) => script.indented(() => script.deliver(node.raw.id, undefined, false)),
    );
    phase(
      (node) => node.appendWork.length > 0,
      "processing append thread",
      (node) => {
        while (node.appendWork.length > 0) script.indented(() => script.processAppend(node));
      },
    );
    phase(
      (node) => node.applyWork.length > 0,
      "processing apply thread",
      (node) => {
        while (node.applyWork.length > 0) script.indented(() => script.processApply(node));
      },
    );
  }
}

const transitions: Readonly<Record<string, ConfChangeTransition>> = {
  auto: "auto",
  implicit: "jointImplicit",
  explicit: "jointExplicit",
};

function proposeConfChange(script: Script, d: Directive): void {
  const node = firstNode(script, d);
  let v1 = false;
  let transition: ConfChangeTransition = "auto";
  for (const { key: name, values } of d.args.slice(1)) {
    for (const value of values) {
      if (name === "v1") v1 = parseBoolean(value);
      else if (name === "transition") {
        const named = transitions[value];
        if (named === undefined) throw new ScriptError(`unknown transition ${value}`);
        transition = named;
      } else throw new ScriptError(`unknown command ${name}`);
    }
  }
  const changes = parseChanges(d.input);
  const context = new Uint8Array(0);
  const only = changes[0];
  if (v1 && (changes.length > 1 || only === undefined || transition !== "auto")) {
    throw new ScriptError("v1 conf change can only have one operation and no transition");
  }
  const { type, data } = encodeConfChange(
    v1 && only !== undefined
      ? { id: 0, type: only.type, nodeId: only.nodeId, context, unknown: undefined }
      : { transition, changes, context, unknown: undefined },
  );
  // Past `proposeConfChange`, which refuses what etcd turns into an empty entry.
  const entries = [proposedEntry(data, type)];
  const proposal = proposalMessage({ from: node.raw.id, to: node.raw.id, entries });
  if (stepLocal(node.raw, proposal) !== undefined) throw new ScriptError("raft proposal dropped");
}

function sendSnapshot(script: Script, d: Directive): void {
  const [from, to] = [integerKey(d, 0), integerKey(d, 1)];
  const node = script.node(from);
  const { term } = node.raw.basicStatus();
  const message = snapshotMessage({ from, to, term, snapshot: node.current });
  script.send([message]);
  script.write(describeMessage(message));
}

function printLog(script: Script, { store }: ScriptNode): void {
  if (store.entries.length === 0) {
    script.write(`log is empty: first index=${store.firstIndex}, last index=${store.lastIndex}`);
  }
  for (const entry of store.entries) script.write(`${describeEntry(entry)}\n`);
}

function printStates(script: Script): void {
  for (const { raw } of script.nodes) {
    const { id, role, term, leader } = raw.basicStatus();
    const voter = raftOf(raw).tracker.isVoter(id) ? "(Voter)" : "(Non-Voter)";
    script.write(`${id}: ${describeRole(role)} ${voter} Term:${term} Lead:${leader}\n`);
  }
}

function printStatus(script: Script, d: Directive): void {
  const raft = raftOf(firstNode(script, d).raw);
  if (raft.role !== "leader") return;
  for (const { id, progress } of raft.tracker.peers) {
    script.write(`${id}: ${describeProgress(progress)}\n`);
  }
}

function tick(node: ScriptNode, period: "electionTicks" | "heartbeatTicks"): void {
  for (let at = 0; at < (node.config[period] ?? 0); at++) node.raw.tick();
}
