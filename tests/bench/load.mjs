/** Load: so many commands of 100 bytes outstanding at one node for a while; what came of it. */

/** @typedef {import("../../dist/runtime/raft-node.js").RaftNode<unknown>} Node */
/** @typedef {{ rate: number, p50: number, p99: number }} Outcome  commits per second, milliseconds */

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
  const begun = performance.now();
  const warm = begun + ms / 4;
  const until = begun + ms;
  const one = async () => {
    for (let from = performance.now(); from < until; ) {
      await node.propose(command);
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
  return { rate: latencies.length / seconds, p50: at(0.5), p99: at(0.99) };
}

/** The one of `nodes` that leads, once there is one. @param {readonly Node[]} nodes */
export async function leaderOf(nodes) {
  const id = await nodes[0]?.waitForLeader();
  return /** @type {Node} */ (nodes.find((node) => node.id === id));
}
