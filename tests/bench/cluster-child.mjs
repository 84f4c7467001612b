/** One of three processes under `nodes.mjs`: a node over files and WebSockets that does as it is told by its parent. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
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

/** @param {string} folder */
async function bytesBelow(folder) {
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

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
    case "heap": {
      const { lastIndex, snapshot } = node.status();
      const log = lastIndex - (snapshot?.index ?? 0);
      // The log in memory goes up and down between two snapshots: what is asked is what stays.
      await node.snapshot();
      globalThis.gc?.();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      const disk = await bytesBelow(join(directory, "member", "wal"));
      return { heap: heapUsed, buffers: arrayBuffers, disk, log };
    }
    case "close":
      await node.close();
      return undefined;
  }
}

// A parent that was killed says nothing more.
process.on("disconnect", () => process.exit());
process.on("message", async (/** @type {Order} */ order) => {
  const answer = await obey(order).catch((error) => ({ error: String(error) }));
  process.send?.({ answer });
  if (order.what === "close") process.disconnect();
});
process.send?.({ answer: "ready" });
