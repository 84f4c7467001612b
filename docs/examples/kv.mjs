/**
 * A key-value store over HTTP, replicated by Raft on any number of processes: etcd's raftexample, in JavaScript.
 *
 *   node docs/examples/kv.mjs --id 1 --raft 12379 --http 12380 --dir /tmp/kv1 --cluster 1=ws://127.0.0.1:12379,2=…,3=…
 *
 *   PUT /my-key  (value as body)     GET /my-key     DELETE /my-key
 *   POST /members/4  (ws://… as body)  adds node 4, which is then started with --join     DELETE /members/3  removes it
 *   GET /status
 */
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { openFileStore } from "logboom/file";
import { isLogboomError, RaftNode, systemClock, systemRandom } from "logboom/runtime";
import { openWebSocketTransport } from "logboom/websocket";

const { values: flags } = parseArgs({
  options: {
    id: { type: "string", default: "1" },
    raft: { type: "string", default: "0" },
    http: { type: "string", default: "0" },
    dir: { type: "string", default: "raftexample-1" },
    /** Every member's id and address: of the cluster to begin, or of the one to join. */
    cluster: { type: "string", default: "" },
    join: { type: "boolean", default: false },
  },
});

/** Commands are JSON: [key, value], or [key] to delete. The answer is what was there before. */
function createKeyValues() {
  let values = new Map();
  return {
    apply({ data }) {
      const [key, value] = JSON.parse(new TextDecoder().decode(data));
      const before = values.get(key);
      if (value === undefined) values.delete(key);
      else values.set(key, value);
      return before ?? null;
    },
    *snapshot() {
      for (const pair of [...values]) yield new TextEncoder().encode(`${JSON.stringify(pair)}\n`);
    },
    restore(body) {
      const lines = new TextDecoder().decode(body).split("\n").filter(Boolean);
      values = new Map(lines.map((line) => JSON.parse(line)));
    },
    get: (key) => values.get(key),
  };
}

const id = Number(flags.id);
const addresses = new Map(
  flags.cluster.split(",").map((member) => {
    const [name, address] = member.split("=");
    return [Number(name), address];
  }),
);
const address = addresses.get(id);
const transport = await openWebSocketTransport({
  self: id,
  cluster: "raftexample",
  listen: { port: Number(flags.raft), host: "127.0.0.1" },
  address,
  addresses,
  clock: systemClock,
  random: systemRandom,
});
const machine = createKeyValues();
const node = await RaftNode.open({
  id,
  store: await openFileStore({ directory: flags.dir }),
  transport,
  machine,
  address,
  // A node that joins has nothing yet: it dials the command line's addresses, and is told the rest once it is added.
  ...(flags.join ? {} : { bootstrap: { voters: [...addresses.keys()], addresses } }),
  snapshotPolicy: { entries: 10_000, trailingEntries: 5_000 },
});

async function answer(request, body, signal) {
  const path = decodeURIComponent(request.url.slice(1));
  const [, member] = /^members\/(\d+)$/.exec(path) ?? [];
  switch (`${request.method} ${member === undefined ? "key" : "member"}`) {
    case "PUT key":
      await node.propose(new TextEncoder().encode(JSON.stringify([path, body])), { signal });
      return [204];
    case "DELETE key":
      await node.propose(new TextEncoder().encode(JSON.stringify([path])), { signal });
      return [204];
    case "GET key": {
      if (path === "status") return [200, JSON.stringify(node.stats())];
      const value = await node.read(() => machine.get(path), { signal });
      return value === undefined ? [404, "no such key\n"] : [200, value];
    }
    case "POST member":
      await node.addVoter(Number(member), body, { signal });
      return [204];
    case "DELETE member":
      await node.remove(Number(member), { signal });
      return [204];
    default:
      return [405, "GET, PUT, DELETE a key; POST, DELETE /members/<id>\n"];
  }
}

/** What happened to a request that failed: nothing (try again), or nobody knows (look before trying again). */
function failure(error) {
  if (!isLogboomError(error)) return [500, `${error}\n`];
  const status = error.code === "BAD_INPUT" || error.code === "TOO_LARGE" ? 400 : 503;
  return [status, `${error.code} (outcome ${error.outcome}): ${error.message}\n`];
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const gone = new AbortController();
  const late = setTimeout(() => gone.abort(), 5_000);
  response.once("close", () => gone.abort());
  const body = Buffer.concat(chunks).toString();
  const [status, text] = await answer(request, body, gone.signal).catch(failure);
  clearTimeout(late);
  response.writeHead(status).end(text);
});
server.listen(Number(flags.http), "127.0.0.1", () => {
  console.log(`node ${id}: http ${server.address().port}, raft ${transport.port}`);
});

async function stop() {
  server.close();
  await node.close();
  process.exit(0);
}
node.observe(() => void stop(), ["removed"]);
node.observe(
  ({ halt }) => {
    console.error(halt.error.message);
    process.exit(1);
  },
  ["halted"],
);
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
