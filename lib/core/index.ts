/**
 * `logboom/raft`: the bare core. Deterministic and synchronous, without I/O: time is `tick()`, randomness is passed in.
 *
 * It keeps the log since the last compaction in memory, `logBytesMax` of it (64 MiB by default), so that it never waits and meets no
 * storage error; beyond that proposals are refused with `tooMuchLog` until a snapshot has let the log be compacted.
 * Storing what `ready()` hands out and carrying its messages is the caller's; `logboom/runtime` does it with a store and a transport.
 */
export { decodeConfChange, encodeConfChange } from "./confchange-codec.js";
export {
  type Config,
  foundingState,
  type Log,
  type LogLevel,
  type RestoredState,
} from "./config.js";
export { type BasicStatus, type PeerStatus, RawNode, type Status } from "./raw-node.js";
export type {
  ProposalFate,
  ProposeResult,
  Refusal,
  Result,
  StepRefusal,
  StepResult,
} from "./results.js";
export type { TraceEvent, TraceListener, TraceMessage, TraceName } from "./trace.js";
export {
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeTransition,
  type ConfChangeType,
  type ConfChangeV2,
  type ConfState,
  type Entry,
  type EntryType,
  emptyConfState,
  emptyHardState,
  type HardState,
  type Index,
  type Message,
  type MessageType,
  type NodeId,
  noNode,
  type ReadState,
  type Ready,
  type Role,
  type Snapshot,
  type SnapshotMetadata,
  type SoftState,
  type Term,
  type Write,
} from "./types.js";
