/** One of three processes under `nodes.mjs`: a node over files and WebSockets that does as it is told by its parent. */

import { RaftNode, systemClock, systemRandom } from "../../dist/runtime/index.js";
import { openFileStore } from "../../dist/storage/file.js";
import { openWebSocketTransport } from "../../dist/transport/websocket.js";
import { createCounter, load } from "./load.mjs";

const [id = 1, directory = "", ports = ""] = [
  Number(process.argv[2]),
  process.argv[3],
  process.argv[4],
];
const addresses = new Map(
  ports.split(",").map((port, at) => /** @type {const} */ ([at + 1, `ws://127.0.0.1:${port}`])),
);
const transport = await openWebSocketTransport({
  self: id,
  cluster: "bench",
  listen: { port: Number(ports.split(",")[id - 1]), host: "127.0.0.1" },
  addresses,
  clock: systemClock,
  random: systemRandom,
});
const node = await RaftNode.open({
  id,
  store: await openFileStore({ directory }),
  transport,
  machine: createCounter(),
  bootstrap: { voters: [...addresses.keys()], addresses },
  snapshotPolicy: { entries: 10_000, bytes: 64_000_000, trailingEntries: 1_000 },
});

/** @typedef {{ what: "load", outstanding: number, ms: number } | { what: "leader" } | { what: "cpu" } | { what: "heap" } | { what: "close" }} Order */

/** @param {Order} order */
async function obey(order) {
  switch (order.what) {
    case "load":
      return await load(node, order.outstanding, order.ms);
    case "leader":
      return await node.waitForLeader();
    case "cpu": {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    }
    case "heap":
      globalThis.gc?.();
      return {
        heap: process.memoryUsage().heapUsed,
        log: node.status().lastIndex - (node.status().snapshot?.index ?? 0),
      };
    case "close":
      await node.close();
      return undefined;
  }
}

process.on("message", async (/** @type {Order} */ order) => {
  const answer = await obey(order).catch((error) => ({ error: String(error) }));
  process.send?.({ answer });
  if (order.what === "close") process.disconnect();
});
process.send?.({ answer: "ready" });
