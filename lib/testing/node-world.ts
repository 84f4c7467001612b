/** What a simulated node needs of the world around it, and how its core is set up. */
import type { Config } from "../core/config.js";
import type { Index, NodeId, ReadState } from "../core/types.js";
import type { AnyMachine } from "../machines/machine.js";
import type { Applied } from "../machines/replica.js";
import type { Observer } from "./observer.js";
import type { SimOptions } from "./sim-options.js";

/** What a node needs of the world around it. */
export interface NodeWorld<WorldNode> {
  readonly options: SimOptions;
  readonly machine: AnyMachine;
  readonly observer: Observer;
  now(): number;
  after(ms: number, run: () => void): void;
  /** The second phase has begun: who is down stays down. */
  calm(): boolean;
  send(from: WorldNode, to: NodeId, frame: Uint8Array): boolean;
  /** A line for the log: what happened, to whom, and about what. */
  log(node: WorldNode, what: string, about?: unknown): void;
  applied(node: WorldNode, outcome: Applied, index: Index): void;
  /** The replica's state was replaced, or a read may be served now. */
  progressed(node: WorldNode): void;
  read(node: WorldNode, state: ReadState): void;
  droppedRead(node: WorldNode, context: Uint8Array): void;
}

/** The core's settings as a seed has drawn them; what is not here is the node's own. */
export function coreConfig(options: SimOptions): Omit<Config, "id" | "random" | "snapshot"> {
  return {
    electionTicks: options.electionTicks,
    heartbeatTicks: options.heartbeatTicks,
    preVote: options.preVote,
    checkQuorum: true,
    reads: options.reads,
    forwardProposals: false,
    batchAppends: options.batchAppends,
    skipBroadcastCommit: options.skipBroadcastCommit,
    reportCommit: options.reportCommit,
    inflightAppendsMax: options.inflightAppendsMax,
    appendBytesMax: options.appendBytesMax,
    applyBytesMax: 2_000,
    uncommittedBytesMax: options.uncommittedBytesMax,
    applyUnpersisted: { entries: options.applyUnpersisted, roles: "all" },
  };
}
