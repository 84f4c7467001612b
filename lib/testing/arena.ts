/** A fault as a line of a script, and what those who carry faults out may touch. */
import type { ConfState, NodeId } from "../core/types.js";
import type { Value } from "../machines/values.js";
import { isQuorum } from "./conf-model.js";
import type { SimNetwork } from "./network.js";
import type { SimPeer } from "./node-world.js";
import type { Image } from "./record-disk.js";
import type { SimClients } from "./sim-clients.js";
import type { FaultKind, SimOptions } from "./sim-options.js";

/** One line of a script. `draws` are random numbers for what is decided when it happens. */
export type ScriptItem =
  | {
      readonly at: number;
      readonly kind: FaultKind;
      readonly slot: number;
      readonly ms: number;
      readonly draws: readonly number[];
    }
  | {
      readonly at: number;
      readonly kind: "call";
      readonly client: number;
      readonly name: string;
      readonly input: Value | undefined;
    }
  | { readonly at: number; readonly kind: "read"; readonly client: number };

export type Script = readonly ScriptItem[];

/** What a nemesis may touch. */
export interface Arena {
  readonly options: SimOptions;
  readonly nodes: readonly SimPeer[];
  readonly network: SimNetwork;
  readonly clients: SimClients;
  latestConf(): ConfState;
  /** Everybody who votes in any configuration that may still come to count. */
  isGone(id: NodeId): boolean;
  now(): number;
  after(ms: number, run: () => void): void;
  sometimes(what: string): void;
  log(node: SimPeer, what: string, about?: unknown): void;
  /** Whether the store of `id` may be found as `left`: enough others hold what it lacks. */
  mayFallBack(id: NodeId, acknowledged: Image, left: Image): boolean;
  /** An empty store and a new identity. */
  reborn(node: SimPeer): void;
}

export type Fault = Extract<ScriptItem, { slot: number }>;

export type CarryOut = (arena: Arena, node: SimPeer, fault: Fault) => void;

/** The cluster can go on if `node` never comes back. A majority that is lost at once is lost for good, as documented. */
export function isExpendable(arena: Arena, node: SimPeer): boolean {
  return isQuorum(arena.latestConf(), (id) => id !== node.id && !arena.isGone(id));
}
