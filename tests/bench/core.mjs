/**
 * The core beside the reference, in one run: three nodes in one process, no I/O, commands of 100 bytes.
 *
 * A proposal counts when all three nodes have applied it. "per message" and "per append" are one node's. Run by
 * `npm run bench -- core`, on what is in dist/.
 */
import { decodeMessage, encodeMessage } from "../../dist/codec/raftpb.js";
import { committedIndex } from "../../dist/core/quorum.js";
import { bytesAllocated, ratesOf } from "./measure.mjs";
import { ourAppends, ourCluster, sampleAppend } from "./ours.mjs";
import { referenceAppends, referenceCluster, referenceName } from "./reference.mjs";
import { printReport } from "./report.mjs";

const commandBytes = 100;
const batch = 64;
const longLogEntries = 200_000;
const seven = [1, 2, 3, 4, 5, 6, 7];

/** @param {number} id */
const acknowledged = (id) => 1000 - id;

const ours = ourCluster(commandBytes);
const reference = referenceCluster(commandBytes);
/** @type {import("./report.mjs").Figure[]} */
const figures = [];

/**
 * @param {string} name
 * @param {string} unit
 * @param {[number, number?]} values  ours, the reference's
 * @param {number} [goal]  least ratio
 */
function add(name, unit, [mine, reference], goal) {
  figures.push({
    name,
    unit,
    ours: mine,
    reference,
    goal: goal === undefined ? undefined : { ratio: goal },
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

printReport("core", referenceName, figures);
