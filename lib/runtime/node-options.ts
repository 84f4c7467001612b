/** What a RaftNode is opened with, its defaults, and the rules between them. */
import type { Clock } from "../base/clock.js";
import { LogboomError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import { isNodeId } from "../core/config.js";
import type { RawNode } from "../core/raw-node.js";
import { type ConfState, emptyConfState, type NodeId } from "../core/types.js";
import type { SnapshotPolicy } from "../storage/snapshot-policy.js";
import type { OpenedStore } from "../storage/storage.js";
import type { AddressedTransport } from "../transport/transport.js";
import { nodeTiming, type Timing } from "./bare-node.js";
import { type Addresses, addressBytesMax } from "./members.js";
import { type Logger, type Metrics, noLogger, noMetrics } from "./metrics.js";
import { completePolicy } from "./snapshots.js";
import type { NodeMachine } from "./state-machine.js";
import { systemClock } from "./system-clock.js";
import { systemRandom } from "./system-random.js";

/** With whom a cluster begins. The same at every node that is given one. */
export interface Bootstrap {
  readonly voters: readonly NodeId[];
  readonly learners?: readonly NodeId[];
  readonly addresses?: Addresses;
}

/** What may be changed while the node runs; ticks and their length are to be the same at every node, so change them everywhere. */
export interface Reloadable extends Timing {
  /** When snapshots are taken and how much log stays behind them. */
  readonly snapshotPolicy: SnapshotPolicy;
  /** Bytes of one command. Default 1 MiB. */
  readonly proposalBytesMax: number;
  /** Bytes of commands whose end is open at this node, forwarded ones counted apart. Default 64 MiB. */
  readonly pendingBytesMax: number;
}

export interface RaftNodeOptions<Result> {
  /** An integer in [1, 2^53−1], never used by another node, before or after. */
  readonly id: NodeId;
  /** Closed with the node, and where opening fails for another reason than `BAD_CONFIG`. */
  readonly store: OpenedStore;
  /** Closed with the node. Must prove who a frame is from, or be a network that can be trusted. */
  readonly transport: AddressedTransport;
  readonly machine: NodeMachine<Result>;
  /** Where others reach this node, where the transport needs to know. One that differs from the configuration's is announced. */
  readonly address?: string;
  /** Begins a cluster if the store is empty; ignored otherwise. Without it an empty node waits to be added. */
  readonly bootstrap?: Bootstrap;
  /** Default: the platform's. */
  readonly clock?: Clock;
  readonly random?: Random;
  /** Default `nodeTiming`. The same at every node. */
  readonly timing?: Timing;
  /** What is not given is the default. */
  readonly snapshotPolicy?: Partial<SnapshotPolicy>;
  readonly proposalBytesMax?: number;
  readonly pendingBytesMax?: number;
  /** Requests made here while another leads are passed on to it. Default true; else they end with `NOT_LEADER`. */
  readonly forward?: boolean;
  /** "lease" answers reads without asking a quorum while the leader's lease lasts; needs clocks that run alike. Default "safe". */
  readonly reads?: "safe" | "lease";
  /**
   * "automatic": a leader activates the machine version that every member's code goes up to as soon as it has heard so of all. "manual":
   * that waits for `activateVersion`, so that a new release can be taken back until then. Default "automatic".
   */
  readonly activation?: "automatic" | "manual";
  /**
   * After so many of its own snapshots a leader has the states of all members compared, see `checkState`; 0 = never. Default 8, which
   * costs each member an eighth of what its snapshots cost.
   */
  readonly checkEverySnapshots?: number;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  /** Is shown the core before it runs: for tests that look into it. */
  readonly watch?: (core: RawNode) => void;
}

/** Some of them; of the policy what is not given stays as it is. */
export type Changes = Partial<Omit<Reloadable, "snapshotPolicy">> & {
  readonly snapshotPolicy?: Partial<SnapshotPolicy>;
};

export type CompleteOptions<Result> = Omit<RaftNodeOptions<Result>, "snapshotPolicy"> &
  Required<
    Pick<
      RaftNodeOptions<Result>,
      | "clock"
      | "random"
      | "timing"
      | "forward"
      | "logger"
      | "metrics"
      | "activation"
      | "checkEverySnapshots"
    >
  > &
  Reloadable;

/** @throws LogboomError `BAD_CONFIG` naming the option, the rule and the value · `STORE_WENT_BACK` */
export function completeOptions<Result>(options: RaftNodeOptions<Result>): CompleteOptions<Result> {
  const { id, transport, address, bootstrap } = options;
  if (!isNodeId(id)) bad("id", "be an integer in [1, 2^53-1]", id);
  if (transport.self !== id) bad("transport", `be opened as node ${id}`, transport.self);
  if (address !== undefined) checkAddress(address);
  if (bootstrap !== undefined) bootstrapState(bootstrap, id);
  const { version } = options.machine;
  if (version !== undefined) positive("machine.version", version);
  checkStore(options);
  const timing = options.timing ?? nodeTiming;
  const complete = {
    ...options,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    timing,
    tickMs: timing.tickMs,
    heartbeatTicks: timing.heartbeatTicks,
    electionTicks: timing.electionTicks,
    snapshotPolicy: completePolicy(options.snapshotPolicy),
    proposalBytesMax: options.proposalBytesMax ?? 1024 * 1024,
    pendingBytesMax: options.pendingBytesMax ?? 64 * 1024 * 1024,
    forward: options.forward ?? true,
    activation: options.activation ?? "automatic",
    checkEverySnapshots: options.checkEverySnapshots ?? 8,
    logger: options.logger ?? noLogger,
    metrics: options.metrics ?? noMetrics,
  };
  checkReloadable(complete);
  const { checkEverySnapshots } = complete;
  if (!(Number.isSafeInteger(checkEverySnapshots) && checkEverySnapshots >= 0)) {
    bad("checkEverySnapshots", "be a whole number from 0 on", checkEverySnapshots);
  }
  return complete;
}

/** The part of `options` that may be changed. */
export function reloadableOf(options: Reloadable): Reloadable {
  const { snapshotPolicy, tickMs, heartbeatTicks, electionTicks } = options;
  const { proposalBytesMax, pendingBytesMax } = options;
  return {
    snapshotPolicy,
    tickMs,
    heartbeatTicks,
    electionTicks,
    proposalBytesMax,
    pendingBytesMax,
  };
}

/** @throws LogboomError `BAD_CONFIG` */
export function checkReloadable(settings: Reloadable): void {
  const { snapshotPolicy, proposalBytesMax, pendingBytesMax } = settings;
  checkTiming(settings);
  positive("proposalBytesMax", proposalBytesMax);
  positive("pendingBytesMax", pendingBytesMax);
  if (proposalBytesMax > pendingBytesMax) {
    bad("proposalBytesMax", `be at most pendingBytesMax (${pendingBytesMax})`, proposalBytesMax);
  }
  checkPolicy(snapshotPolicy, proposalBytesMax);
}

function checkTiming({ tickMs, heartbeatTicks, electionTicks }: Timing): void {
  for (const [name, value] of Object.entries({ tickMs, heartbeatTicks, electionTicks })) {
    if (!(Number.isSafeInteger(value) && value > 0)) bad(name, "be a whole number above 0", value);
  }
  if (heartbeatTicks >= electionTicks) {
    bad("heartbeatTicks", `be below electionTicks (${electionTicks})`, heartbeatTicks);
  }
}

function checkPolicy(policy: SnapshotPolicy, proposalBytesMax: number): void {
  const { entries, bytes, trailingEntries, trailingBytes, retained, logBytesMax } = policy;
  positive("snapshotPolicy.entries", entries);
  positive("snapshotPolicy.bytes", bytes);
  notNegative("snapshotPolicy.trailingEntries", trailingEntries);
  notNegative("snapshotPolicy.trailingBytes", trailingBytes);
  positive("snapshotPolicy.retained", retained);
  positive("snapshotPolicy.logBytesMax", logBytesMax);
  // Else a command could be too large for ever, not until a snapshot has made room.
  if (logBytesMax < 2 * proposalBytesMax) {
    const rule = `be at least twice proposalBytesMax (${proposalBytesMax})`;
    bad("snapshotPolicy.logBytesMax", rule, logBytesMax);
  }
}

/** Its id is the node's for good: one whose store lost a part would vote again where it had voted. */
function checkStore({ id, store }: Pick<RaftNodeOptions<unknown>, "id" | "store">): void {
  const { replaced } = store.identity;
  if (replaced === undefined) return;
  const text = `the store of node ${id} took the place of one that had lost what it acknowledged (${replaced}): remove node ${id} from its cluster, delete the store, and add a node with another id`;
  throw new LogboomError("STORE_WENT_BACK", text);
}

/** The configuration a cluster begins with, node `self` among its members. @throws LogboomError `BAD_CONFIG` */
export function bootstrapState(
  { voters, learners = [], addresses }: Bootstrap,
  self: NodeId,
): ConfState {
  const all = [...voters, ...learners];
  if (voters.length === 0) bad("bootstrap.voters", "name at least one node", "none");
  const wrong = all.find((id) => !isNodeId(id));
  if (wrong !== undefined) bad("bootstrap", "name integers in [1, 2^53-1]", wrong);
  if (new Set(all).size !== all.length) bad("bootstrap", "name each node once", all);
  if (!all.includes(self)) bad("bootstrap", `name this node (${self}) among its members`, all);
  for (const address of addresses?.values() ?? []) checkAddress(address);
  const ascending = (ids: readonly NodeId[]): NodeId[] => [...ids].sort((a, b) => a - b);
  return { ...emptyConfState, voters: ascending(voters), learners: ascending(learners) };
}

/** @throws LogboomError `BAD_CONFIG` */
export function checkAddress(address: string): void {
  const bytes = new TextEncoder().encode(address).length;
  if (bytes === 0 || bytes > addressBytesMax) {
    bad("address", `take 1 to ${addressBytesMax} bytes`, `${bytes} bytes`);
  }
}

function positive(name: string, value: number): void {
  const whole = Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY;
  if (!whole || value <= 0) bad(name, "be a whole number above 0", value);
}

function notNegative(name: string, value: number): void {
  const whole = Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY;
  if (!whole || value < 0) bad(name, "be a whole number from 0 on", value);
}

function bad(name: string, rule: string, value: unknown): never {
  throw new LogboomError("BAD_CONFIG", `${name} must ${rule}, got ${String(value)}`);
}
