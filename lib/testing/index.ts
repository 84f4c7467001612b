/**
 * `logboom/testing`: for tests of your own store, transport or machine. Needs no test framework: the suites are lists of named cases.
 */
export { type Random, seededRandom } from "../base/random.js";
export {
  createMemoryMedium,
  type MemoryMedium,
  openMemoryStore,
} from "../storage/memory.js";
export {
  createMemoryNetwork,
  type MemoryNetwork,
  type MemoryNetworkOptions,
} from "../transport/memory.js";
export { type StorageCase, type StorageTarget, storageConformance } from "./conformance/storage.js";
export {
  type TransportCase,
  type TransportTarget,
  transportConformance,
} from "./conformance/transport.js";
export { createVirtualClock, type VirtualClock } from "./virtual-clock.js";
