/**
 * `logboom/runtime`: a Raft node that runs, for people who bring their own state machine.
 *
 * BareNode keeps a core turning over a store, a clock and a way to send. Stores are `logboom/indexeddb` and whatever passes
 * `storageConformance` of `logboom/testing`; what a command means and who is a member are the caller's.
 */
export type { Cancel, Clock } from "../base/clock.js";
export type { Random } from "../base/random.js";
export type {
  OpenedStore,
  SnapshotSink,
  SnapshotStore,
  Storage,
  StorageWrite,
  StoreIdentity,
  StoreMeta,
  StoreOpenOptions,
} from "../storage/storage.js";
export type { LinkKind, PeerEvent, SendOptions, Transport } from "../transport/transport.js";
export {
  BareNode,
  type BareNodeEvents,
  type BareNodeOptions,
  browserTiming,
  type Timing,
} from "./bare-node.js";
export type { SnapshotPolicy } from "./snapshots.js";
export type { AppliedConfChange, AppliedEntry, StateMachine } from "./state-machine.js";
export { systemClock } from "./system-clock.js";
export { systemRandom } from "./system-random.js";
