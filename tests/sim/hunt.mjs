/** Hunts one planted bug, in a copy of the compiled code: `node tests/sim/hunt.mjs sim|torture DIR SEEDS`. Used by .ci/mutants.mjs. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

process.env.NODE_ENV = "production";
const [how = "", dir = "", seeds = "0"] = process.argv.slice(2);
const load = (/** @type {string} */ name) => import(pathToFileURL(join(dir, "testing", name)).href);

async function bySimulator() {
  const { simulate } = await load("simulator.js");
  for (let seed = 1; seed <= Number(seeds); seed++) {
    const { violation } = simulate({ seed });
    if (violation !== undefined) return `${violation.invariant}, ${seed} seeds`;
  }
  return undefined;
}

async function byTorture() {
  const { newCounts, tortureByDamage, tortureByFaults } = await load("wal-torture.js");
  for (let seed = 1; seed <= 3; seed++) {
    const counts = newCounts();
    const options = { segmentBytes: 1_024, writes: 12, seed };
    try {
      await tortureByFaults(
        options,
        ["before", "within", "after", "EIO", "ENOSPC", "short"],
        counts,
      );
      await tortureByDamage(options, true, counts);
    } catch (error) {
      return `${/** @type {Error} */ (error).message}, ${seed} seeds`;
    }
    if (counts.lost + counts.silent > 0) {
      return `${counts.lost} acknowledged writes lost, ${counts.silent} silent faults in ${counts.cases} cases`;
    }
  }
  return undefined;
}

const found = how === "sim" ? await bySimulator() : await byTorture();
console.log(found === undefined ? "SURVIVED" : `KILLED ${found}`);
