/**
 * Config: what a node is told when it is made, its defaults, and the rules between its fields.
 *
 * Every limit in bytes or entries may be Infinity for "none". Compare etcd/raft raft.go (Config), raft-rs config.rs; the names say
 * the unit, and a rule that is broken is named with its field and value.
 */
import { LogboomError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import type { TraceListener } from "./trace.js";
import {
  type ConfState,
  type Entry,
  emptyConfState,
  emptyHardState,
  type HardState,
  type Index,
  type NodeId,
  type Snapshot,
  type Term,
} from "./types.js";

export type LogLevel = "debug" | "info" | "warn" | "error";
/** Receives etcd's log lines; `text` is called only by who wants to read it. */
export type Log = ((level: LogLevel, text: () => string) => void) | undefined;

export interface Config {
  /** Our name: an integer in [1, 2^53−1], never used by another peer, before or after. */
  readonly id: NodeId;
  /** Election timeouts are drawn here. Must differ between nodes. */
  readonly random: Random;
  /**
   * A snapshot for `to`, at or beyond `atLeast`; undefined = not now, and the core asks again later. Its metadata and,
   * where the transport streams bodies, a handle in place of the body.
   */
  readonly snapshot: (to: NodeId, atLeast: Index) => Snapshot | undefined;

  /** Ticks without word from a leader after which a follower campaigns at the earliest; CheckQuorum's interval. Default 10. */
  readonly electionTicks?: number;
  /** Ticks between heartbeats; below `electionTicks`. Default 1. */
  readonly heartbeatTicks?: number;
  /** The election timeout is drawn from [min, max). Defaults: `electionTicks`, twice that. */
  readonly minElectionTicks?: number;
  readonly maxElectionTicks?: number;

  /** Ask whether an election could be won before raising the term (§9.6). Default true. */
  readonly preVote?: boolean;
  /** A leader without a quorum steps down, and voters who hear a leader refuse to elect another. Default true. */
  readonly checkQuorum?: boolean;
  /** "lease" answers reads without asking a quorum while the leader's lease lasts; needs CheckQuorum, the same
   *  `electionTicks` everywhere and clocks that run alike (§6.4.1). Default "safe". */
  readonly reads?: "safe" | "lease";
  /** Reads waiting at a leader, and reads forwarded and not answered; beyond it they are refused. Default 4096. */
  readonly readsMax?: number;
  /** Election priority: a voter refuses a candidate of lower priority unless its log is longer. Default 0. */
  readonly priority?: number;

  /** Encoded bytes of entries in one append, and at least one entry; 0 = one entry each. Default 1 MiB. */
  readonly appendBytesMax?: number;
  /** Appends in flight to one follower. Default 256. */
  readonly inflightAppendsMax?: number;
  /** Payload bytes in flight to one follower; at least `appendBytesMax`. Default Infinity. */
  readonly inflightBytesMax?: number;
  /** Encoded bytes of entries handed out and not yet reported as applied. Default `appendBytesMax`, as in etcd. */
  readonly applyBytesMax?: number;
  /** Payload bytes of a leader's uncommitted entries; beyond it proposals are refused. Default Infinity. */
  readonly uncommittedBytesMax?: number;
  /** Memory for the log; beyond it proposals are refused with `tooMuchLog`. Default 64 MiB. */
  readonly logBytesMax?: number;

  /** Followers pass proposals on to the leader. Default true; the runtime forwards by itself and turns it off. */
  readonly forwardProposals?: boolean;
  /** Refuse configuration changes that cannot be right when they are proposed. Default true. */
  readonly validateConfChanges?: boolean;
  /** A leader that applies its own removal or demotion becomes a follower. Default true (etcd's default is false). */
  readonly stepDownOnRemoval?: boolean;
  /** Join appends that wait for the same follower into one message. Default false. */
  readonly batchAppends?: boolean;
  /** Leave followers to learn of a new commit index with the next append or heartbeat. Default false. */
  readonly skipBroadcastCommit?: boolean;
  /** Commit only what two commit groups hold (see `assignCommitGroups`). Default false. */
  readonly groupCommit?: boolean;
  /** Vote requests, refusals and acknowledgements carry the sender's commit index, and read answers and they move the
   *  receiver's (raft-rs' fast-forward). Default true. */
  readonly reportCommit?: boolean;

  /** How far apply may run ahead of our own disk. Default 0 entries; `Infinity` for "all" is etcd's Ready and Advance. */
  readonly applyUnpersisted?: { readonly entries: number; readonly roles: "leader" | "all" };
  /** "afterPersist" (default): the term we ask votes for is durable, else a crash lets us win it twice. "atOnce": etcd's scripts. */
  readonly voteRequests?: "afterPersist" | "atOnce";
  readonly log?: Log;
  readonly trace?: TraceListener | undefined;
}

/** A config with every default filled in. */
export type FullConfig = Readonly<{ [K in keyof Config]-?: Config[K] }>;

/** What a node starts from: what `Storage.load()` found, and how far its state machine was restored. */
export interface RestoredState {
  readonly hardState: HardState;
  /** The configuration as of `applied`: that of the snapshot the state machine was restored from. */
  readonly confState: ConfState;
  /** Index and term of the entry before `entries[0]`. */
  readonly compacted: { readonly index: Index; readonly term: Term };
  readonly entries: readonly Entry[];
  /** Entries up to here are not handed out again; at least `compacted.index`. */
  readonly applied: Index;
}

export const emptyState: RestoredState = {
  hardState: emptyHardState,
  confState: emptyConfState,
  compacted: { index: 0, term: 0 },
  entries: [],
  applied: 0,
};

/**
 * What the first node of a cluster starts from: an empty state machine at index 1, as if a snapshot stood there. Nothing can be replicated
 * from before it, so everybody who joins is sent a snapshot, and with it the configuration. (etcd writes one entry per founder.)
 */
export function foundingState(confState: ConfState): RestoredState {
  return {
    hardState: { term: 1, vote: 0, commit: 1 },
    confState,
    compacted: { index: 1, term: 1 },
    entries: [],
    applied: 1,
  };
}

const MiB = 1024 * 1024;

/** Fills in the defaults and checks every rule. @throws LogboomError `BAD_CONFIG` naming the field, the rule and the value. */
export function completeConfig(config: Config): FullConfig {
  const electionTicks = config.electionTicks ?? 10;
  const appendBytesMax = config.appendBytesMax ?? MiB;
  const full: FullConfig = {
    id: config.id,
    random: config.random,
    snapshot: config.snapshot,
    electionTicks,
    heartbeatTicks: config.heartbeatTicks ?? 1,
    minElectionTicks: config.minElectionTicks ?? electionTicks,
    maxElectionTicks: config.maxElectionTicks ?? 2 * electionTicks,
    preVote: config.preVote ?? true,
    checkQuorum: config.checkQuorum ?? true,
    reads: config.reads ?? "safe",
    readsMax: config.readsMax ?? 4096,
    priority: config.priority ?? 0,
    appendBytesMax,
    inflightAppendsMax: config.inflightAppendsMax ?? 256,
    inflightBytesMax: config.inflightBytesMax ?? Number.POSITIVE_INFINITY,
    applyBytesMax: config.applyBytesMax || Math.max(appendBytesMax, 1),
    uncommittedBytesMax: config.uncommittedBytesMax ?? Number.POSITIVE_INFINITY,
    logBytesMax: config.logBytesMax ?? 64 * MiB,
    forwardProposals: config.forwardProposals ?? true,
    validateConfChanges: config.validateConfChanges ?? true,
    stepDownOnRemoval: config.stepDownOnRemoval ?? true,
    batchAppends: config.batchAppends ?? false,
    skipBroadcastCommit: config.skipBroadcastCommit ?? false,
    groupCommit: config.groupCommit ?? false,
    reportCommit: config.reportCommit ?? true,
    applyUnpersisted: config.applyUnpersisted ?? { entries: 0, roles: "all" },
    voteRequests: config.voteRequests ?? "afterPersist",
    log: config.log,
    trace: config.trace,
  };
  validate(full);
  return full;
}

function validate(c: FullConfig): void {
  must(isNodeId(c.id), "id", "be an integer in [1, 2^53-1]", c.id);
  positive("heartbeatTicks", c.heartbeatTicks);
  positive("electionTicks", c.electionTicks);
  must(
    c.heartbeatTicks < c.electionTicks,
    "heartbeatTicks",
    `be below electionTicks (${c.electionTicks})`,
    c.heartbeatTicks,
  );
  positive("minElectionTicks", c.minElectionTicks);
  positive("maxElectionTicks", c.maxElectionTicks);
  must(
    c.minElectionTicks >= c.electionTicks,
    "minElectionTicks",
    `be at least electionTicks (${c.electionTicks})`,
    c.minElectionTicks,
  );
  must(
    c.maxElectionTicks > c.minElectionTicks,
    "maxElectionTicks",
    `be above minElectionTicks (${c.minElectionTicks})`,
    c.maxElectionTicks,
  );
  must(c.reads === "safe" || c.reads === "lease", "reads", 'be "safe" or "lease"', c.reads);
  must(c.reads === "safe" || c.checkQuorum, "reads", 'be "safe" unless checkQuorum is on', c.reads);
  checkPriority(c.priority);
  positive("readsMax", c.readsMax);
  limit("appendBytesMax", c.appendBytesMax, 0);
  limit("inflightAppendsMax", c.inflightAppendsMax, 1);
  limit("inflightBytesMax", c.inflightBytesMax, 1);
  must(
    c.inflightBytesMax >= c.appendBytesMax,
    "inflightBytesMax",
    `be at least appendBytesMax (${c.appendBytesMax})`,
    c.inflightBytesMax,
  );
  limit("applyBytesMax", c.applyBytesMax, 1);
  limit("uncommittedBytesMax", c.uncommittedBytesMax, 0);
  limit("logBytesMax", c.logBytesMax, 1);
  limit("applyUnpersisted.entries", c.applyUnpersisted.entries, 0);
  must(
    c.applyUnpersisted.roles === "leader" || c.applyUnpersisted.roles === "all",
    "applyUnpersisted.roles",
    'be "leader" or "all"',
    c.applyUnpersisted.roles,
  );
  must(
    c.voteRequests === "afterPersist" || c.voteRequests === "atOnce",
    "voteRequests",
    'be "afterPersist" or "atOnce"',
    c.voteRequests,
  );
  must(typeof c.random?.below === "function", "random", "have a method below()", c.random);
  must(typeof c.snapshot === "function", "snapshot", "be a function", c.snapshot);
}

export function isNodeId(id: NodeId): boolean {
  return Number.isSafeInteger(id) && id > 0;
}

function positive(field: string, value: number): void {
  must(Number.isSafeInteger(value) && value > 0, field, "be a whole number above 0", value);
}

export function checkPriority(priority: number): void {
  must(Number.isSafeInteger(priority), "priority", "be a safe integer", priority);
}

/** A number of things, or Infinity. */
export function limit(field: string, value: number, least: number): void {
  const whole = Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY;
  must(
    whole && value >= least,
    field,
    `be a whole number of at least ${least}, or Infinity`,
    value,
  );
}

function must(holds: boolean, field: string, rule: string, value: unknown): void {
  if (!holds) throw new LogboomError("BAD_CONFIG", `${field} must ${rule}, got ${String(value)}`);
}
