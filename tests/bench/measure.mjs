/**
 * Measuring: candidates take turns in short rounds, and of each the rate counts that three quarters of its rounds stay below.
 *
 * Taking turns spreads over all of them what the machine does meanwhile; a high rank, rather than the mean, forgets the rounds in which
 * something else had the processor.
 */
import { Session } from "node:inspector/promises";

const roundMs = 100;
const rounds = 24;
const warmUpRounds = 4;

/** @param {readonly number[]} values */
export function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/**
 * Calls of each candidate per second.
 * @param {(() => void)[]} candidates
 * @returns {number[]}
 */
export function ratesOf(candidates) {
  const seen = candidates.map(() => /** @type {number[]} */ ([]));
  for (let round = -warmUpRounds; round < rounds; round++) {
    candidates.forEach((run, i) => {
      const rate = rateOf(run);
      if (round >= 0) seen[i]?.push(rate);
    });
  }
  return seen.map((rates) => rates.sort((a, b) => a - b)[Math.floor(rounds * 0.75)] ?? Number.NaN);
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
 * Bytes that one call of `run` allocates, whether they are collected meanwhile or not (V8's sampling profiler, within a few percent).
 * @param {() => void} run  warmed up
 * @param {number} calls
 */
export async function bytesAllocated(run, calls) {
  const session = new Session();
  session.connect();
  await session.post("HeapProfiler.startSampling", {
    samplingInterval: 4096,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  for (let i = 0; i < calls; i++) run();
  const { profile } = await session.post("HeapProfiler.stopSampling");
  session.disconnect();
  return sizeOf(profile.head) / calls;
}

/**
 * @param {import("node:inspector").HeapProfiler.SamplingHeapProfileNode} node
 * @returns {number}
 */
function sizeOf(node) {
  return node.children.reduce((sum, child) => sum + sizeOf(child), node.selfSize);
}
