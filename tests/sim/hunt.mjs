/**
 * Hunts one planted bug, in a copy of the compiled code: `node tests/sim/hunt.mjs sim|explorer|torture DIR SEEDS`, or
 * `… corpus DIR FILE` by one script of the corpus. Used by .ci/mutants.mjs and corpus.test.ts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { scopes } from "./scopes.mjs";

process.env.NODE_ENV = "production";
const [how = "", dir = "", what = "0"] = process.argv.slice(2);
const load = (/** @type {string} */ name) => import(pathToFileURL(join(dir, "testing", name)).href);

async function bySimulator() {
  const { simulateAll } = await load("simulator.js");
  for (let seed = 1; seed <= Number(what); seed++) {
    const { violation } = await simulateAll({ seed });
    if (violation === undefined) continue;
    const { invariant, message } = violation;
    const own = invariant === "assertion" || invariant === "exception";
    return `${own ? message.split("\n")[0] : invariant}\t${seed}`;
  }
  return undefined;
}

/** More runs than a case holds through: what is drawn beside the script shifts with every change of the code. */
const runsMax = 100;

async function byCorpus() {
  const { readCase, replay } = await load("corpus.js");
  const one = readCase(readFileSync(what, "utf8"));
  for (let run = 0; run < runsMax; run++) {
    const { violation } = await replay(one, run);
    if (violation?.invariant === one.invariant) return `${one.invariant}\t${run + 1}`;
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
      return `${/** @type {Error} */ (error).message.split("\n")[0]}\t${seed}`;
    }
    if (counts.lost + counts.silent > 0) {
      return `${counts.lost} acknowledged writes lost, ${counts.silent} silent faults in ${counts.cases} cases\t${seed}`;
    }
  }
  return undefined;
}

async function byExplorer() {
  const { explore } = await load("explorer.js");
  for (const { name, scope } of scopes) {
    try {
      explore(scope);
    } catch (error) {
      return `${name}: ${/** @type {Error} */ (error).message.split(";")[0]}\t`;
    }
  }
  return undefined;
}

const hunts = new Map([
  ["sim", bySimulator],
  ["corpus", byCorpus],
  ["explorer", byExplorer],
  ["torture", byTorture],
]);
const found = await hunts.get(how)?.();
console.log(found === undefined ? "SURVIVED" : `KILLED ${found}`);
