/**
 * Shrinking a failing script: the fewest lines that still break the same invariant (delta debugging, ddmin).
 *
 * Bound: `runsMax` simulations (default 400).
 */
import type { Script } from "./arena.js";
import { type SimulationInput, type SimulationResult, simulateAll } from "./simulator.js";

export async function shrink(
  failing: SimulationResult,
  input: SimulationInput,
  runsMax: number = 400,
): Promise<Script> {
  const invariant = failing.violation?.invariant;
  let script = failing.script;
  let runs = 0;
  const stillFails = async (tried: Script): Promise<boolean> => {
    runs++;
    const { violation } = await simulateAll({ ...input, script: tried });
    return violation?.invariant === invariant;
  };
  for (let parts = 2; script.length > 1 && runs < runsMax; ) {
    const size = Math.ceil(script.length / parts);
    let cut = false;
    for (let from = 0; from < script.length && runs < runsMax; from += size) {
      const tried = [...script.slice(0, from), ...script.slice(from + size)];
      if (!(await stillFails(tried))) continue;
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
