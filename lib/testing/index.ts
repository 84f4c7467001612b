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
export { type Explored, explore, type Scope } from "./explorer.js";
export {
  isLinearizable,
  isLinearizableByKey,
  type Linearizable,
  type Operation,
  type SequentialModel,
} from "./linearizability.js";
export { type MachineSimulation, simulateMachine } from "./simulate-machine.js";
export {
  type SimulationInput,
  type SimulationResult,
  simulate,
  simulateAll,
} from "./simulator.js";
export { Violation } from "./violation.js";
export { createVirtualClock, type VirtualClock } from "./virtual-clock.js";
export type { Workload } from "./workload.js";
