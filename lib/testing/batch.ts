/**
 * A batch of seeds: every one of them must hold, and together they must have met every fault at least once.
 */
import { isLinearizable } from "./linearizability.js";
import { registerHistories, registerModel } from "./register-model.js";
import { faultKinds, laterFaultKinds } from "./sim-options.js";
import { type SimulationInput, type SimulationResult, simulate, simulateAll } from "./simulator.js";

/** What a batch of 200 seeds or more must have met. A fault that never happens is a test that never ran. */
export const mustHappen: readonly string[] = [
  ...[...faultKinds, ...laterFaultKinds].map((kind) => `fault: ${kind}`),
  "a change of membership was answered",
  "a command was answered",
  "a flush had lied when the machine went down",
  "a flush lied",
  "a command was repeated under a later leader",
  "a command's outcome stays unknown",
  "a learner is asked for its vote",
  "a linearizable read was served",
  "a read outlived a leader",
  "a removed node came back as another",
  "a repeated command was met",
  "a vote was granted and lost",
  "an older store was refused",
  "bits rotted",
  "both ends dialled at once",
  "burst after a freeze",
  "burst of held frames",
  "change of 0 (auto)",
  "change of 1 (auto)",
  "change of 1 (jointExplicit)",
  "change of 1 (jointImplicit)",
  "change of 2 (auto)",
  "change of 2 (jointExplicit)",
  "change of 2 (jointImplicit)",
  "channels without generations",
  "crash lost a write under way",
  "damage was found: bit rot",
  "database says QuotaExceededError",
  "database taken away",
  "disk failed",
  "disk says ENOSPC",
  "environment: direct",
  "environment: files",
  "environment: indexedDb",
  "frozen for three election timeouts",
  "joint configuration across a restart",
  "leader crashed between append and sync",
  "leader elected",
  "leader elected in a joint configuration",
  "leadership handed over",
  "log cut by two entries or more",
  "message lost",
  "message of an earlier life delivered",
  "message repeated",
  "recovered",
  "snapshot installed over a log that matches",
  "snapshot installed over a shorter log",
  "snapshot installed over nothing",
  "store cloned",
  "store opened twice",
  "store rolled back",
  "store rolled back under a witness",
  "store wiped",
  "the elder of two was not heard",
  "two leaders in different terms",
  "two nodes lost writes at once",
];
/** Seeds from which on a batch must have met all of them. */
export const enoughSeeds = 200;

/** What happens in one seed of a few hundred: what a batch of 2,000 must have met as well. */
export const happensRarely: readonly string[] = [
  "a later leader left a joint configuration by itself",
  "a node found that its store went back",
  "a store went back behind its boot",
  "a store went back, unnoticed, by a flush that lied",
  "a store went back, unnoticed, by an older copy",
  "the first of two owners was refused",
];
const enoughForRare = 2_000;

/** What happens in one of a thousand. */
export const happensSeldom: readonly string[] = ["snapshot installed over a log that conflicts"];
const enoughForSeldom = 20_000;

/** Every so many seeds the history is also searched, and the seed is run twice. */
const sampleEvery = 20;

export interface Batch {
  seeds: number;
  events: number;
  readonly failures: SimulationResult[];
  readonly sometimes: Map<string, number>;
}

export function emptyBatch(): Batch {
  return { seeds: 0, events: 0, failures: [], sometimes: new Map() };
}

/** Runs one seed in its "direct" environment and adds it to `batch`. */
export function runSeed(batch: Batch, input: SimulationInput): SimulationResult {
  const result = simulate(input);
  if (!isSampled(result)) return add(batch, result);
  return add(batch, sampled(input, result, simulate(input)));
}

/** Runs one seed in the environment that it draws and adds it to `batch`. */
export async function runSeedAll(batch: Batch, input: SimulationInput): Promise<SimulationResult> {
  const result = await simulateAll(input);
  if (!isSampled(result)) return add(batch, result);
  return add(batch, sampled(input, result, await simulateAll(input)));
}

function isSampled({ seed, violation }: SimulationResult): boolean {
  return violation === undefined && seed % sampleEvery === 0;
}

function add(batch: Batch, result: SimulationResult): SimulationResult {
  batch.seeds++;
  batch.events += result.events;
  for (const [what, count] of result.sometimes) {
    batch.sometimes.set(what, (batch.sometimes.get(what) ?? 0) + count);
  }
  if (result.violation !== undefined) batch.failures.push(result);
  return result;
}

function sampled(
  input: SimulationInput,
  result: SimulationResult,
  again: SimulationResult,
): SimulationResult {
  const fails = (invariant: string, message: string): SimulationResult => ({
    ...result,
    violation: { invariant, message: `${invariant}: ${message}`, at: 0 },
  });
  if (again.hash !== result.hash) {
    return fails("determinism", "the same seed twice gave two histories");
  }
  if (input.workload !== undefined) return result;
  for (const [key, operations] of registerHistories(result.history)) {
    if (isLinearizable(registerModel, operations) === "no") {
      return fails("linearizability", `no order of the calls explains the answers for key ${key}`);
    }
  }
  return result;
}

/** What should have happened and did not; empty for a batch too small to tell. */
export function neverHappened({ seeds, sometimes }: Batch): string[] {
  const wanted = [
    ...(seeds < enoughSeeds ? [] : mustHappen),
    ...(seeds < enoughForRare ? [] : happensRarely),
    ...(seeds < enoughForSeldom ? [] : happensSeldom),
  ];
  return wanted.filter((what) => (sometimes.get(what) ?? 0) === 0);
}
