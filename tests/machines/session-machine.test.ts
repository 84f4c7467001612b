/** Exactly once: a command retried through any node, across leaders, restarts and snapshots, is applied once. */
import { afterEach, describe, expect, it } from "vitest";
import { SessionClient } from "../../lib/machines/session-client.js";
import { createSessionMachine, encodeNumbered } from "../../lib/machines/session-machine.js";
import { sessionIdleMaxMs } from "../../lib/machines/sessions.js";
import type { StampedEntry } from "../../lib/runtime/state-machine.js";
import { bytes, Journal } from "../runtime/cluster.js";

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

describe("over a cluster", () => {
  let close: () => Promise<void>;
  afterEach(() => close());

  it("commands retried across cut-off leaders, restarts and snapshots are applied once", async () => {
    const { openCluster } = await import("../runtime/cluster.js");
    const cluster = await openCluster([], {
      latencyMs: [6, 6],
      change: { snapshotPolicy: { entries: 5, bytes: 1 << 20, trailingEntries: 0 } },
    });
    close = cluster.closeAll;
    const journals = new Map<number, Journal>();
    const machines = new Map<number, ReturnType<typeof createSessionMachine<number>>>();
    const start = async (id: number) => {
      const journal = new Journal();
      const machine = createSessionMachine<number>(journal);
      journals.set(id, journal);
      machines.set(id, machine);
      await cluster.open(id, {
        bootstrap: { voters: [1, 2, 3] },
        journal: machine as never,
      });
    };
    for (const id of [1, 2, 3]) await start(id);
    await cluster.leader();
    const nodeOf = (id: number) => cluster.get(id).node as never;
    const session = new SessionClient<number>(nodeOf(1), machines.get(1) as never);
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
