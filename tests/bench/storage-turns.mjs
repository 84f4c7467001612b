/** Two things that wait for a disk, in turns; runs in Node and in a page. */

const roundMs = 200;
const rounds = 7;

/** @param {readonly number[]} values */
export function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/**
 * Calls per second of each, the median of rounds taken in turns; a first round warms up.
 * @param {(() => Promise<void>)[]} candidates
 */
export async function turns(...candidates) {
  const seen = candidates.map(() => /** @type {number[]} */ ([]));
  for (let round = 0; round <= rounds; round++) {
    for (const [n, run] of candidates.entries()) {
      const begun = performance.now();
      let calls = 0;
      do {
        await run();
        calls++;
      } while (performance.now() - begun < roundMs);
      if (round > 0) seen[n]?.push((calls / (performance.now() - begun)) * 1000);
    }
  }
  return seen.map(median);
}

/** @param {number} first @param {number} count @param {number} [bytes] */
export function entriesOf(first, count, bytes = 256) {
  const entries = [];
  // One array for all: making them is the benchmark's work, not the store's.
  const data = new Uint8Array(bytes).fill(7);
  for (let n = 0; n < count; n++) {
    entries.push({
      term: 1,
      index: first + n,
      type: /** @type {const} */ ("EntryNormal"),
      data,
      unknown: undefined,
    });
  }
  return entries;
}
