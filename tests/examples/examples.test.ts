/** The examples, run as a reader would run them: as processes, over real sockets and files. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { build } from "../../.ci/build.mjs";
import { freePort } from "../../.ci/free-port.mjs";

const root = join(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "logboom-examples-"));

beforeAll(async () => {
  await build(["code"]);
}, 180_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function lines(file: string): number {
  return readFileSync(join(root, file), "utf8").trimEnd().split("\n").length;
}

describe("the counter", () => {
  test("counts on three nodes, in forty lines", async () => {
    expect(lines("docs/examples/counter.mjs")).toBeLessThanOrEqual(40);
    const child = spawn(process.execPath, ["docs/examples/counter.mjs"], { cwd: root });
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    expect(code).toBe(0);
    const rows = output.trim().split("\n");
    // Three concurrent openings elect one leader; the sums are 1, 3, 6 because calls follow each other.
    expect(rows).toEqual([
      ...[1, 3, 6].map((sum, at) => `node ${at + 1}: ${sum}`),
      ...[1, 2, 3].map((id) => `node ${id} reads 6`),
    ]);
  }, 60_000);
});

interface Server {
  readonly child: ChildProcess;
  readonly http: number;
}

const servers = new Map<number, Server>();
const ports = new Map<number, { raft: number; http: number }>();
let run = 0;

afterEach(async () => {
  for (const id of [...servers.keys()]) await kill(id);
  ports.clear();
  run++;
});

const raftAddress = (id: number): string => `ws://127.0.0.1:${ports.get(id)?.raft}`;

async function reserve(ids: readonly number[]): Promise<void> {
  for (const id of ids) ports.set(id, { raft: await freePort(), http: await freePort() });
}

async function start(id: number, members: readonly number[], ...more: string[]): Promise<void> {
  const { raft = 0, http = 0 } = ports.get(id) ?? {};
  const cluster = members.map((each) => `${each}=${raftAddress(each)}`).join(",");
  const flags = { id, raft, http, dir: join(scratch, `${run}-${id}`), cluster };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, ["docs/examples/kv.mjs", ...args, ...more], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  servers.set(id, { child, http });
  await new Promise((resolve, reject) => {
    child.stdout?.once("data", resolve);
    child.once("exit", () => reject(new Error(`node ${id} ended at its start`)));
  });
}

async function kill(id: number): Promise<void> {
  const server = servers.get(id);
  servers.delete(id);
  if (server === undefined || server.child.exitCode !== null) return;
  const ended = new Promise((resolve) => server.child.once("exit", resolve));
  server.child.kill("SIGKILL");
  await ended;
}

async function three(): Promise<void> {
  await reserve([1, 2, 3]);
  await Promise.all([1, 2, 3].map((id) => start(id, [1, 2, 3])));
}

async function ask(
  id: number,
  method: string,
  path: string,
  body?: string,
): Promise<[number, string]> {
  const url = `http://127.0.0.1:${servers.get(id)?.http}/${path}`;
  const response = await fetch(url, { method, ...(body === undefined ? {} : { body }) });
  return [response.status, await response.text()];
}

const put = async (id: number, key: string, value: string): Promise<number> =>
  (await ask(id, "PUT", key, value))[0];
const get = async (id: number, key: string): Promise<string> => (await ask(id, "GET", key))[1];
const stats = async (id: number): Promise<Record<string, string>> =>
  JSON.parse(await get(id, "status"));

async function leader(): Promise<number> {
  for (;;) {
    for (const id of servers.keys()) if ((await stats(id))["state"] === "Leader") return id;
  }
}

describe("the key-value store on three processes", () => {
  test("is short", () => {
    expect(lines("docs/examples/kv.mjs")).toBeLessThan(200);
  });

  test("goes on when one is killed", async () => {
    await three();
    expect(await put(1, "my-key", "hello")).toBe(204);
    await kill(await leader());
    const [one, other] = [...servers.keys()] as [number, number];
    expect(await put(one, "my-key", "hello again")).toBe(204);
    expect(await get(other, "my-key")).toBe("hello again");
  }, 60_000);

  test("stops when two are killed, and acknowledges nothing", async () => {
    await three();
    expect(await put(1, "my-key", "hello")).toBe(204);
    await kill(2);
    await kill(3);
    expect(await put(1, "my-key", "lost")).toBe(503);
    expect((await ask(1, "GET", "my-key"))[0]).toBe(503);
  }, 60_000);

  test("comes back with everything when those that were killed are restarted", async () => {
    await three();
    expect(await put(1, "my-key", "hello")).toBe(204);
    for (const id of [1, 2, 3]) await kill(id);
    await Promise.all([1, 2, 3].map((id) => start(id, [1, 2, 3])));
    expect(await get(3, "my-key")).toBe("hello");
    expect(await put(2, "my-key", "world")).toBe(204);
  }, 60_000);

  test("takes a fourth member in, which then has everything", async () => {
    await three();
    expect(await put(1, "my-key", "hello")).toBe(204);
    await reserve([4]);
    await start(4, [1, 2, 3, 4], "--join");
    expect(await ask(1, "POST", "members/4", raftAddress(4))).toEqual([204, ""]);
    expect(await get(4, "my-key")).toBe("hello");
    await kill(1);
    expect(await put(4, "my-key", "four")).toBe(204);
  }, 60_000);

  test("lets a member go, which ends, and goes on with two", async () => {
    await three();
    expect(await put(1, "my-key", "hello")).toBe(204);
    const gone = servers.get(3)?.child as ChildProcess;
    const ended = new Promise((resolve) => gone.once("exit", resolve));
    expect((await ask(1, "DELETE", "members/3"))[0]).toBe(204);
    expect(await ended).toBe(0);
    servers.delete(3);
    expect(await put(2, "my-key", "two")).toBe(204);
    expect((await stats(1))["num_peers"]).toBe("1");
  }, 60_000);
});
