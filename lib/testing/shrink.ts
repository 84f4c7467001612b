/**
 * Shrinking a failing script: the fewest lines that still break the same invariant (delta debugging, ddmin).
 *
 * Bound: `runsMax` simulations (default 400).
 */
import type { Script } from "./nemesis.js";
import { type SimulationInput, type SimulationResult, simulate } from "./simulator.js";

export function shrink(
  failing: SimulationResult,
  input: SimulationInput,
  runsMax: number = 400,
): Script {
  const invariant = failing.violation?.invariant;
  let script = failing.script;
  let runs = 0;
  const stillFails = (tried: Script): boolean => {
    runs++;
    return simulate({ ...input, script: tried }).violation?.invariant === invariant;
  };
  for (let parts = 2; script.length > 1 && runs < runsMax; ) {
    const size = Math.ceil(script.length / parts);
    let cut = false;
    for (let from = 0; from < script.length && runs < runsMax; from += size) {
      const tried = [...script.slice(0, from), ...script.slice(from + size)];
      if (!stillFails(tried)) continue;
      script = tried;
      parts = Math.max(2, parts - 1);
      cut = true;
      break;
    }
    if (cut) continue;
    if (size === 1) break;
    parts = Math.min(script.length, parts * 2);
  }
  return script;
}

/** A line of the corpus: what is run first ever after. */
export interface CorpusCase {
  readonly seed: number;
  readonly invariant: string;
  readonly found: string;
  readonly script: Script;
}
