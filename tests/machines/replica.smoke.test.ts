import { expect, test } from "vitest";
import { encodeCommand, stamp } from "../../lib/machines/command.js";
import { createReplica } from "../../lib/machines/replica.js";
import { clientId } from "../../lib/machines/seed.js";
import { board } from "./board.js";

const client = clientId(new Uint8Array(16).fill(7));
let index = 1;
const entry = (sequence: number, name: string, input: unknown, over = {}) => ({
  index: index++,
  term: 1,
  data: stamp(
    encodeCommand({
      client,
      sequence,
      low: 1,
      since: 0,
      author: "ann",
      machineVersion: 1,
      name,
      input: input as never,
      ...over,
    }),
    { now: 5, logTime: 5 },
  ),
});
test("smoke", () => {
  const r = createReplica(board);
  const a = r.apply(entry(1, "addCard", { title: "x" }));
  console.log(a, r.state);
  const id = (a as any).result;
  console.log(r.apply(entry(2, "claimCard", { id })), r.state);
  console.log(r.apply(entry(3, "claimCard", { id })));
  for (const bad of ["__proto__", "constructor", "toString"])
    console.log(r.apply(entry(4 + bad.length, "claimCard", { id: bad })));
  console.log(r.apply(entry(2, "claimCard", { id })));
  const before = r.state;
  console.log(
    r.apply(entry(20, "fail", { how: "throw" })),
    r.apply(entry(21, "fail", { how: "date" })),
    r.state === before,
  );
  const body = Buffer.concat([...r.snapshot()]);
  const q = createReplica(board);
  q.restore(body);
  expect(Buffer.concat([...q.snapshot()]).equals(body)).toBe(true);
  expect(q.state).toEqual(r.state);
  console.log(Date.now(), Math.random());
});
