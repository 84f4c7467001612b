/**
 * `logboom/runtime`: a Raft node that runs, for people who bring their own state machine.
 *
 * RaftNode keeps a core turning over a store, a transport, a machine and a clock, all by interface, and answers with promises. Stores are
 * `logboom/file`, `logboom/indexeddb` and whatever passes `storageConformance` of `logboom/testing`; transports are `logboom/websocket`
 * and whatever passes `transportConformance`.
 */
export type { Cancel, Clock } from "../base/clock.js";
export {
  type ErrorCode,
  isLogboomError,
  LogboomError,
  type Outcome,
} from "../base/errors.js";
export type { Random } from "../base/random.js";
export type { SnapshotPolicy } from "../storage/snapshot-policy.js";
export type {
  Acknowledged,
  Loaded,
  OpenedStore,
  SnapshotSink,
  SnapshotStore,
  Storage,
  StorageWrite,
  StoredState,
  StoreIdentity,
  StoreMeta,
  StoreOpenOptions,
} from "../storage/storage.js";
export type {
  AddressedTransport,
  LinkKind,
  PeerEvent,
  SendOptions,
  Transport,
} from "../transport/transport.js";
export {
  BareNode,
  type BareNodeEvents,
  type BareNodeOptions,
  browserTiming,
  nodeTiming,
  type Timing,
} from "./bare-node.js";
export { hasState, readConfiguration } from "./looking-in.js";
export type { MemberChange } from "./member-changes.js";
export type { Addresses, Configuration } from "./members.js";
export {
  type Logger,
  type Metric,
  type MetricLabels,
  type MetricName,
  type Metrics,
  metricTable,
  noLogger,
  noMetrics,
  type PromClient,
  prometheus,
} from "./metrics.js";
export type { Halt, NodeEvent, NodeEventType } from "./node-events.js";
export type {
  Bootstrap,
  Changes,
  RaftNodeOptions,
  Reloadable,
} from "./node-options.js";
export type { NodeStatus } from "./node-status.js";
export type { Applied } from "./proposals.js";
export { type Changing, RaftNode, type Waiting } from "./raft-node.js";
export { type RecoverOptions, recoverCluster } from "./recover.js";
export { createSharedWriter, type SharedWriter } from "./shared-writer.js";
export type { StateVerdict } from "./state-check.js";
export type {
  AppliedConfChange,
  AppliedEntry,
  NodeMachine,
  StampedEntry,
  StateMachine,
} from "./state-machine.js";
export { systemClock } from "./system-clock.js";
export { systemRandom } from "./system-random.js";
