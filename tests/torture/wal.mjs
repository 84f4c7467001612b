/** The log on a disk in memory: damaged everywhere, ended everywhere, every call failing. */
import {
  newCounts,
  tortureBesideTheLog,
  tortureByDamage,
  tortureByFaults,
} from "../../dist/testing/wal-torture.js";

/** @param {{ writes?: string, segment?: string, seed?: string }} options */
export async function run({ writes = "30", segment = "1500", seed = "1" }) {
  const options = { segmentBytes: Number(segment), writes: Number(writes), seed: Number(seed) };
  const all = newCounts();
  const parts = [
    ...partsOf(options).map(([name, part]) => /** @type {const} */ ([`files, ${name}`, part])),
    ...partsOf({ ...options, slowRename: true }).map(
      ([name, part]) => /** @type {const} */ ([`private files, ${name}`, part]),
    ),
  ];
  for (const [name, part] of parts) {
    const counts = newCounts();
    const begun = performance.now();
    await part(counts);
    const { cases, acked, lost, silent, reported, findings } = counts;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    console.log(
      `${name}: ${cases} cases, ${acked} acknowledged, ${reported} reported, ${lost} lost, ${silent} silent (${seconds} s)`,
    );
    all.cases += cases;
    all.acked += acked;
    all.lost += lost;
    all.silent += silent;
    all.findings.push(...findings);
  }
  return { ...all, wiped: 0 };
}

/**
 * @param {import("../../dist/testing/wal-torture.js").TortureOptions} options
 * @returns {[string, (counts: import("../../dist/testing/wal-torture.js").TortureCounts) => Promise<void>][]}
 */
function partsOf(options) {
  return [
    ["damage, all of it flushed", (counts) => tortureByDamage(options, true, counts)],
    ["damage, no synced mark", (counts) => tortureByDamage(options, false, counts)],
    ["damage beside the log", (counts) => tortureBesideTheLog(options, counts)],
    ["crash points", (counts) => tortureByFaults(options, ["before", "within", "after"], counts)],
    ["failing calls: EIO", (counts) => tortureByFaults(options, ["EIO"], counts)],
    ["failing calls: ENOSPC", (counts) => tortureByFaults(options, ["ENOSPC"], counts)],
    ["short writes", (counts) => tortureByFaults(options, ["short"], counts)],
    ["failing fsyncs", (counts) => tortureByFaults(options, ["fsync"], counts)],
  ];
}
