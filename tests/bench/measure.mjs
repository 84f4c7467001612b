/**
 * Measuring: what runs is run in rounds, the candidates taking turns, and the median round counts.
 *
 * Taking turns spreads what the machine does meanwhile over all of them; the median forgets the rounds it spoiled.
 *
 * @typedef {object} Cluster
 * @property {(count: number) => void} propose  proposes `count` commands and returns when all three nodes have applied them
 * @property {() => number[]} applied           the last index each node has applied
 */

const roundMs = 250;
const rounds = 9;

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/**
 * Calls of each candidate per second. A first round warms up and is not counted.
 * @param {(() => void)[]} candidates
 * @returns {number[]}
 */
export function ratesOf(candidates) {
  const seen = candidates.map(() => /** @type {number[]} */ ([]));
  for (let round = 0; round <= rounds; round++) {
    candidates.forEach((run, i) => {
      const rate = rateOf(run);
      if (round > 0) seen[i]?.push(rate);
    });
  }
  return seen.map(median);
}

/** @param {() => void} run */
function rateOf(run) {
  const start = performance.now();
  let calls = 0;
  let elapsed = 0;
  do {
    for (let i = 0; i < 16; i++) run();
    calls += 16;
    elapsed = performance.now() - start;
  } while (elapsed < roundMs);
  return (calls / elapsed) * 1000;
}

/**
 * Bytes that one call of `run` allocates on the heap: the heap's growth over runs too short for a collection.
 * Needs `node --expose-gc`.
 * @param {() => void} run
 * @param {number} calls  in one run; they must fit the young generation
 */
export function bytesAllocated(run, calls) {
  const seen = [];
  for (let round = 0; round < rounds; round++) {
    globalThis.gc?.();
    const before = process.memoryUsage();
    for (let i = 0; i < calls; i++) run();
    const after = process.memoryUsage();
    seen.push((after.heapUsed + after.external - before.heapUsed - before.external) / calls);
  }
  return median(seen);
}
