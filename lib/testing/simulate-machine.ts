/**
 * A user's own machine under the simulator: replicas of it live through the faults of many seeds and must stay equal.
 *
 * Finds what makes replicas differ: clocks, dice, counters outside of the state, orders that are not the state's own.
 */
import type { Random } from "../base/random.js";
import type { AnyMachine } from "../machines/machine.js";
import type { Value } from "../machines/values.js";
import { emptyBatch, runSeed } from "./batch.js";
import type { SimulationResult } from "./simulator.js";

export interface MachineSimulation {
  readonly machine: AnyMachine;
  /** A call to be made, drawn from `random`; `number` is different for each. */
  call(random: Random, number: number): { readonly name: string; readonly input?: Value };
  /** Default 20. */
  readonly seeds?: number;
  /** The first of them. Default 1. */
  readonly seed?: number;
}

/** The first seed that did not hold, with what was broken in `violation`; undefined: all held. */
export function simulateMachine(simulation: MachineSimulation): SimulationResult | undefined {
  const { machine, call, seeds = 20, seed = 1 } = simulation;
  const batch = emptyBatch();
  for (let at = seed; at < seed + seeds; at++) {
    const result = runSeed(batch, { seed: at, workload: { machine, call } });
    if (result.violation !== undefined) return result;
  }
  return undefined;
}
