/** Load: so many commands of 100 bytes outstanding at one node for a while; what came of it. */

/** @typedef {import("../../dist/runtime/raft-node.js").RaftNode<unknown>} Node */
import { isLogboomError } from "../../dist/runtime/index.js";

/** @typedef {{ rate: number, p50: number, p99: number, unknown: number }} Outcome  commits per second, milliseconds, commands without an answer */

export const commandBytes = 100;

/** Counts; nothing else, so that what is measured is the node. */
export const createCounter = () => {
  let applied = 0;
  return {
    apply: () => ++applied,
    snapshot: () => [new TextEncoder().encode(String(applied))],
    restore: (/** @type {Uint8Array} */ body) => {
      applied = Number(new TextDecoder().decode(body));
    },
  };
};

/** @param {Node} node @param {number} outstanding @param {number} ms @returns {Promise<Outcome>} */
export async function load(node, outstanding, ms) {
  const command = new Uint8Array(commandBytes).fill(7);
  /** @type {number[]} */
  const latencies = [];
  let unknown = 0;
  const begun = performance.now();
  const warm = begun + ms / 4;
  const until = begun + ms;
  const one = async () => {
    for (let from = performance.now(); from < until; ) {
      try {
        await node.propose(command);
      } catch (error) {
        // Leadership moved, on a machine that is too busy: its fate is unknown, and it is no commit of ours.
        if (!isLogboomError(error) || error.outcome !== "unknown") throw error;
        unknown++;
        from = performance.now();
        continue;
      }
      const now = performance.now();
      if (from >= warm) latencies.push(now - from);
      from = now;
    }
  };
  await Promise.all(Array.from({ length: outstanding }, one));
  latencies.sort((a, b) => a - b);
  const at = (/** @type {number} */ part) =>
    latencies[Math.min(latencies.length - 1, Math.floor(part * latencies.length))] ?? Number.NaN;
  const seconds = (performance.now() - warm) / 1000;
  return { rate: latencies.length / seconds, p50: at(0.5), p99: at(0.99), unknown };
}

/** The one of `nodes` that leads, once there is one. @param {readonly Node[]} nodes */
export async function leaderOf(nodes) {
  const id = await nodes[0]?.waitForLeader();
  return /** @type {Node} */ (nodes.find((node) => node.id === id));
}
