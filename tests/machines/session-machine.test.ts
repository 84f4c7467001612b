/** Exactly once: a command retried through any node, across leaders, restarts and snapshots, is applied once. */
import { afterEach, describe, expect, it } from "vitest";
import { concatBytes } from "../../lib/base/bytes.js";
import { SessionClient } from "../../lib/machines/session-client.js";
import {
  createSessionMachine,
  encodeNumbered,
  type SessionMachine,
} from "../../lib/machines/session-machine.js";
import { sessionIdleMaxMs } from "../../lib/machines/sessions.js";
import type { StampedEntry } from "../../lib/runtime/state-machine.js";
import { bytes, Journal, openCluster, type TestCluster } from "../runtime/cluster.js";

const client = "0123456789abcdef0123456789abcdef";
const other = "f".repeat(32);

function entryOf(data: Uint8Array, index = 1, logTime = 0): StampedEntry {
  return { index, term: 1, data, now: 0, logTime, version: 1, random: () => 0 };
}

function make(): {
  journal: Journal;
  machine: ReturnType<typeof createSessionMachine<number>>;
  send(sequence: number, change?: object): unknown;
} {
  const journal = new Journal();
  const machine = createSessionMachine<number>(journal);
  let index = 0;
  const send = (
    sequence: number,
    change: { low?: number; at?: number; client?: string; since?: number } = {},
  ) => {
    const { low = 1, at = 0, since = 0 } = change;
    const numbered = { client: change.client ?? client, sequence, low, since };
    const data = encodeNumbered(numbered, bytes(`c${sequence}`));
    return machine.apply(entryOf(data, ++index, at));
  };
  return { journal, machine, send };
}

describe("a command", () => {
  it("met again gets the result it had, and is not applied", () => {
    const { journal, send } = make();
    expect(send(1)).toEqual({ kind: "done", result: 1, repeated: false });
    expect(send(1)).toEqual({ kind: "done", result: 1, repeated: true });
    expect(journal.commands).toEqual(["c1"]);
  });

  it("may come out of order", () => {
    const { journal, send } = make();
    for (const sequence of [3, 1, 2, 3, 1]) send(sequence);
    expect(journal.commands).toEqual(["c3", "c1", "c2"]);
  });

  it("of another client is another command", () => {
    const { journal, send } = make();
    send(1);
    send(1, { client: other });
    expect(journal.commands).toHaveLength(2);
  });

  it("whose end its client knows is expired, not applied", () => {
    const { journal, send } = make();
    send(1);
    send(2, { low: 2 });
    expect(send(1)).toEqual({ kind: "expired" });
    expect(journal.commands).toEqual(["c1", "c2"]);
  });

  it("whose session ended by log time is expired, never applied a second time", () => {
    const { journal, send } = make();
    send(1);
    send(1, { client: other, at: sessionIdleMaxMs + 1, since: sessionIdleMaxMs });
    expect(send(1, { at: sessionIdleMaxMs + 2 })).toEqual({ kind: "expired" });
    expect(journal.commands).toHaveLength(2);
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["no session", bytes("x")],
    [
      "a low above the sequence",
      encodeNumbered({ client, sequence: 1, low: 2, since: 0 }, bytes("")),
    ],
    ["a window too wide", encodeNumbered({ client, sequence: 1025, low: 1, since: 0 }, bytes(""))],
  ])("with %s is refused", (_, data) => {
    const { machine, journal } = make();
    expect(machine.apply(entryOf(data))).toEqual({ kind: "malformed" });
    expect(journal.commands).toEqual([]);
  });
});

it("sessions, results and log time are in the snapshot", () => {
  const from = make();
  from.send(1, { at: 77 });
  const chunks = [...from.machine.snapshot()];
  const to = make();
  const body = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  to.machine.restore(body, 1);
  expect(to.send(1)).toEqual({ kind: "done", result: 1, repeated: true });
  expect(to.machine.logTime).toBe(77);
  for (let length = 0; length < 10; length++) {
    expect(() => to.machine.restore(body.subarray(0, length), 1)).toThrow(
      expect.objectContaining({ code: "DECODE" }),
    );
  }
});

it("the machine within sees the command alone, its entry's times, and random numbers of client and sequence", () => {
  const seen: StampedEntry[] = [];
  const draws: number[][] = [];
  const machine = createSessionMachine<number>({
    apply(entry) {
      seen.push(entry);
      draws.push([entry.random(), entry.random()]);
      return seen.length;
    },
    snapshot: () => [],
    restore() {},
  });
  const send = (sequence: number, index: number): void => {
    const data = encodeNumbered({ client, sequence, low: 1, since: 0 }, bytes("c"));
    machine.apply({ ...entryOf(data, index, 5), now: 9, version: 3 });
  };
  send(1, 10);
  send(2, 11);
  expect(seen[0]).toMatchObject({ index: 10, now: 9, logTime: 5, version: 3, data: bytes("c") });
  expect(new Set(draws.flat()).size).toBe(4);
  // At another entry of another life, as after a restart: the same.
  const first = draws[0];
  const again = createSessionMachine<number>({
    apply: (entry) => draws.push([entry.random(), entry.random()]),
    snapshot: () => [],
    restore() {},
  });
  const data = encodeNumbered({ client, sequence: 1, low: 1, since: 0 }, bytes("c"));
  again.apply(entryOf(data, 99));
  expect(draws.at(-1)).toEqual(first);
});

it("versions and migrations are the machine's within", () => {
  const calls: unknown[] = [];
  const machine = createSessionMachine<number>({
    version: 4,
    apply: () => 0,
    migrate: (to) => calls.push(["migrate", to]),
    snapshot: () => [bytes("s")],
    restore: (body, version) => calls.push(["restore", new TextDecoder().decode(body), version]),
  });
  expect(machine.version).toBe(4);
  machine.migrate?.(2);
  machine.restore(concatBytes(...machine.snapshot()), 3);
  expect(calls).toEqual([
    ["migrate", 2],
    ["restore", "s", 3],
  ]);
});

describe("over a cluster", () => {
  let cluster: TestCluster;
  const journals = new Map<number, Journal>();
  const machines = new Map<number, SessionMachine<number>>();
  afterEach(async () => {
    await cluster.closeAll();
    expect(cluster.clock.timers()).toBe(0);
    journals.clear();
    machines.clear();
  });

  /** How far ahead every node's monotonic clock is of the test's. */
  let ahead = 0;

  async function start(id: number, bootstrap = true): Promise<void> {
    const journal = new Journal();
    const machine = createSessionMachine<number>(journal);
    journals.set(id, journal);
    machines.set(id, machine);
    await cluster.open(id, {
      ...(bootstrap ? { bootstrap: { voters: [1, 2, 3] } } : {}),
      machine: machine as never,
      clock: { ...cluster.clock, now: () => cluster.clock.now() + ahead },
    });
  }

  async function three(): Promise<void> {
    cluster = await openCluster([], {
      latencyMs: [6, 6],
      change: { snapshotPolicy: { entries: 5, bytes: 1 << 20, trailingEntries: 0 } },
    });
    ahead = 0;
    for (const id of [1, 2, 3]) await start(id);
    await cluster.leader();
  }

  const nodeOf = (id: number) => cluster.get(id).node as never;
  const clientOf = (id: number): SessionClient<number> =>
    new SessionClient<number>(nodeOf(id), machines.get(id) as never);
  const alike = (): Promise<void> =>
    cluster.until(
      () => new Set([...journals.values()].map((one) => one.commands.join())).size === 1,
    );

  it("a session ends by log time, at the same entry everywhere, and its commands are expired, never applied again", async () => {
    await three();
    const old = clientOf(1);
    const first = await cluster.settled(old.propose(bytes("first")));
    expect(first).toMatchObject({ result: 1, repeated: false });
    await cluster.pass(1000);
    const young = clientOf(2);
    await cluster.settled(young.propose(bytes("young")));
    // Three months under one leader, after which the elder is idle for too long, and the younger not quite.
    ahead = sessionIdleMaxMs - 500;
    await cluster.settled(young.propose(bytes("young again")));
    await alike();
    for (const machine of machines.values()) expect(machine.sessions).toBe(1);
    await expect(cluster.settled(old.propose(bytes("late")))).rejects.toMatchObject({
      code: "SESSION_EXPIRED",
      outcome: "unknown",
    });
    // The command it had, met again by a link that held it for so long: not a second time, on any replica.
    const { node } = await cluster.leader();
    const replay = encodeNumbered(
      { client: old.id, sequence: 1, low: 1, since: 0 },
      bytes("first"),
    );
    const again = await cluster.settled(node.propose(replay));
    expect(again.result).toEqual({ kind: "expired" });
    await cluster.close(3);
    await start(3);
    await alike();
    expect(journals.get(3)?.commands).toEqual(["first", "young", "young again"]);
    expect((await cluster.settled(node.checkState())).minority).toEqual([]);
    // Whoever begins anew is served.
    expect(await cluster.settled(clientOf(2).propose(bytes("new")))).toMatchObject({ result: 4 });
  });

  it("a command retried at a newcomer, which knows of it by a snapshot alone, is not applied again", async () => {
    await three();
    const session = clientOf(1);
    for (let i = 0; i < 12; i++) await cluster.settled(session.propose(bytes(`c${i}`)));
    const { node } = await cluster.leader();
    await cluster.settled(node.snapshot());
    await start(4, false);
    await cluster.settled(node.addLearner(4));
    await cluster.until(() => journals.get(4)?.commands.length === 12);
    const last = { client: session.id, sequence: 12, low: 12, since: 0 };
    const { node: newcomer } = cluster.get(4);
    const { result } = await cluster.settled(newcomer.propose(encodeNumbered(last, bytes("c11"))));
    expect(result).toEqual({ kind: "done", result: 12, repeated: true });
    await alike();
    expect(journals.get(4)?.commands).toHaveLength(12);
  });

  it("commands under way together, through several nodes and in any order, are applied once each", async () => {
    await three();
    const session = clientOf(1);
    const sending = Array.from({ length: 30 }, (_, i) => {
      session.through(nodeOf(1 + (i % 3)));
      return session.propose(bytes(`c${i}`));
    });
    const applied = await cluster.settled(Promise.all(sending));
    expect(new Set(applied.map(({ result }) => result)).size).toBe(30);
    await alike();
    expect([...(journals.get(1)?.commands ?? [])].sort()).toEqual(
      Array.from({ length: 30 }, (_, i) => `c${i}`).sort(),
    );
  });

  it("commands that were given up leave their places to others", async () => {
    await three();
    const session = clientOf(1);
    for (let i = 0; i < 1100; i++) {
      await expect(
        session.propose(bytes("never"), { signal: AbortSignal.abort() }),
      ).rejects.toMatchObject({ code: "ABORTED" });
    }
    expect(await cluster.settled(session.propose(bytes("now")))).toMatchObject({ result: 1 });
  });

  it("commands retried across cut-off leaders, restarts and snapshots are applied once", async () => {
    await three();
    const session = clientOf(1);
    let repeated = 0;
    for (let i = 0; i < 12; i++) {
      const { node } = await cluster.leader();
      const follower = [1, 2, 3].find((id) => id !== node.id) as number;
      session.through(nodeOf(follower));
      const sending = session.propose(bytes(`command ${i}`));
      sending.catch(() => {});
      if (i % 3 === 0) {
        // Committed, but the follower that asked is cut off before it hears of it.
        await cluster.until(() => journals.get(node.id)?.commands.length === i + 1);
        cluster.network.partition([follower]);
        session.through(nodeOf(node.id));
      } else if (i % 3 === 1) {
        // The leader is cut off before it can commit.
        cluster.network.partition([node.id]);
        await cluster.pass(1500);
        cluster.network.heal();
      } else {
        // The node that asked dies and comes back.
        session.through(nodeOf(node.id));
        await cluster.close(follower);
        await start(follower);
      }
      const applied = await cluster.settled(sending);
      expect(applied.result).toBe(i + 1);
      if (applied.repeated) repeated += 1;
      cluster.network.heal();
    }
    expect(repeated).toBeGreaterThan(0);
    await cluster.until(() =>
      [...journals.values()].every(({ commands }) => commands.length === 12),
    );
    for (const { commands } of journals.values()) {
      expect(commands).toEqual(Array.from({ length: 12 }, (_, i) => `command ${i}`));
    }
  }, 60_000);
});
