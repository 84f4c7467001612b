/**
 * The core beside the reference, in one run: three nodes in one process, no I/O, commands of 100 bytes.
 *
 * A proposal counts when all three nodes have applied it. "per message" and "per append" are one node's. `ratio` says how many times
 * better ours is, whichever way the unit points. The last line is one JSON object. Run by `npm run bench -- core`, on what is in dist/.
 */
import { decodeMessage, encodeMessage } from "../../dist/codec/raftpb.js";
import { committedIndex } from "../../dist/core/quorum.js";
import { bytesAllocated, ratesOf } from "./measure.mjs";
import { ourAppends, ourCluster, sampleAppend } from "./ours.mjs";
import { referenceAppends, referenceCluster, referenceName } from "./reference.mjs";

const commandBytes = 100;
const batch = 64;
const longLogEntries = 200_000;
const seven = [1, 2, 3, 4, 5, 6, 7];

/** @param {number} id */
const acknowledged = (id) => 1000 - id;

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {string} unit
 * @property {number} ours
 * @property {number | null} reference
 * @property {number | null} ratio
 * @property {number} [goal]  least ratio
 */

const ours = ourCluster(commandBytes);
const reference = referenceCluster(commandBytes);
/** @type {Result[]} */
const results = [];

/**
 * @param {string} name
 * @param {string} unit
 * @param {[number, number?]} values  ours, the reference's
 * @param {number} [goal]
 */
function add(name, unit, [mine, theirs], goal) {
  const more = unit.endsWith("/s");
  results.push({
    name,
    unit,
    ours: mine,
    reference: theirs ?? null,
    ratio: theirs === undefined ? null : more ? mine / theirs : theirs / mine,
    ...(goal === undefined ? {} : { goal }),
  });
}

/**
 * @param {(() => void)[]} runs  ours, the reference's
 * @returns {[number, number?]}
 */
function measure(runs) {
  const [mine, theirs] = ratesOf(runs);
  return theirs === undefined ? [mine ?? Number.NaN] : [mine ?? Number.NaN, theirs];
}

/** @param {[number, number?]} rates */
function nanoseconds([mine, theirs]) {
  return /** @type {[number, number?]} */ (
    theirs === undefined ? [1e9 / mine] : [1e9 / mine, 1e9 / theirs]
  );
}

const one = measure([() => ours.propose(1), () => reference.propose(1)]);
const batches = /** @type {[number, number]} */ (
  measure([() => ours.propose(batch), () => reference.propose(batch)]).map(
    (rate) => (rate ?? 0) * batch,
  )
);
add("propose, one at a time", "proposals/s", one, 4);
add(`propose, batches of ${batch}`, "proposals/s", batches, 10);
add("per proposal, one at a time", "ns", nanoseconds(one));
add(`per proposal, batches of ${batch}`, "ns", nanoseconds(batches));
add(
  "per append stepped",
  "ns",
  nanoseconds(measure([ourAppends(commandBytes), referenceAppends(commandBytes)])),
);

// No step's cost may grow with the log: the same proposals behind a log that is never cut, beside one that is.
const longLog = ourCluster(commandBytes, false);
for (let i = 0; i < longLogEntries / batch; i++) longLog.propose(batch);
add(
  `propose behind ${longLogEntries} entries, beside a short log of ours`,
  "proposals/s",
  measure([() => longLog.propose(1), () => ours.propose(1)]),
);

const message = sampleAppend(commandBytes);
const bytes = encodeMessage(message);
add("per message encoded", "ns", nanoseconds(measure([() => encodeMessage(message)])));
add("per message decoded", "ns", nanoseconds(measure([() => decodeMessage(bytes)])));

add("allocated per proposal, one at a time", "bytes", [
  await bytesAllocated(() => ours.propose(1), 20_000),
  await bytesAllocated(() => reference.propose(1), 5_000),
]);
add(`allocated per proposal, batches of ${batch}`, "bytes", [
  (await bytesAllocated(() => ours.propose(batch), 2_000)) / batch,
  (await bytesAllocated(() => reference.propose(batch), 200)) / batch,
]);

add("allocated per committedIndex of 7 voters", "bytes", [
  await bytesAllocated(() => committedIndex(seven, acknowledged), 1_000_000),
]);

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const rows = [
  ["", "ours", referenceName, "ratio", "goal"],
  ...results.map(({ name, unit, ours: mine, reference: theirs, ratio, goal }) => [
    name,
    `${whole.format(mine)} ${unit}`,
    theirs === null ? "" : `${whole.format(theirs)} ${unit}`,
    ratio === null ? "" : `${ratio.toFixed(1)}×`,
    goal === undefined ? "" : `${goal}× ${(ratio ?? 0) >= goal ? "reached" : "MISSED"}`,
  ]),
];
const widths = (rows[0] ?? []).map((_, column) =>
  Math.max(...rows.map((row) => (row[column] ?? "").length)),
);
for (const row of rows) {
  const cells = row.map((cell, column) =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
  );
  console.log(cells.join("  ").trimEnd());
}
console.log(
  JSON.stringify({
    bench: "core",
    results: results.map(({ goal, ...rest }) => rest),
  }),
);
