/** A replicated counter: three nodes in one process. `node examples/counter.mjs` after `npm run build`. */
import { RaftNode, systemClock, systemRandom } from "logboom/runtime";
import { createMemoryNetwork, openMemoryStore } from "logboom/testing";

/** Adds what it is told, answers with the sum. */
export const counter = () => {
  let sum = 0;
  return {
    apply: ({ data }) => (sum += Number(new TextDecoder().decode(data))),
    snapshot: () => [new TextEncoder().encode(String(sum))],
    restore: (body) => {
      sum = Number(new TextDecoder().decode(body));
    },
    value: () => sum,
  };
};

const network = createMemoryNetwork({ clock: systemClock, random: systemRandom });
const machines = [counter(), counter(), counter()];
const nodes = await Promise.all(
  machines.map(async (machine, at) =>
    RaftNode.open({
      id: at + 1,
      store: await openMemoryStore(),
      transport: network.open(at + 1),
      machine,
      bootstrap: { voters: [1, 2, 3] },
    }),
  ),
);

const add = (node, number) => node.propose(new TextEncoder().encode(String(number)));
// Any node will do: followers pass the command on, and answer with their own machine's result.
for (const node of nodes) console.log(`node ${node.id}: ${(await add(node, node.id)).result}`);
for (const [at, node] of nodes.entries()) {
  console.log(`node ${node.id} reads ${await node.read(machines[at].value)}`);
}
await Promise.all(nodes.map((node) => node.close()));
