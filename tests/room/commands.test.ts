/** A handle's calls: when they are sent, sent again, settled and ended. */
import { describe, expect, it } from "vitest";
import { LogboomError } from "../../lib/base/errors.js";
import { decodeCommand } from "../../lib/machines/command.js";
import { clientId } from "../../lib/machines/seed.js";
import { Commands, waitingMax } from "../../lib/room/commands.js";

const client = clientId(new Uint8Array(16).fill(1));

/** The way to a leader, opened and closed by hand. */
function createWay(open = true): {
  commands: Commands;
  sent: { sequence: number; low: number; name: string }[];
  rejected: { command: string; reason: string }[];
  way: { open: boolean; known: boolean };
} {
  const sent: { sequence: number; low: number; name: string }[] = [];
  const rejected: { command: string; reason: string }[] = [];
  const way = { open, known: true };
  const commands = new Commands({
    client,
    author: "kitchen",
    machineVersion: 1,
    logTime: () => (way.known ? 7 : undefined),
    send: (bytes) => {
      if (!way.open) return false;
      const { sequence, low, name } = decodeCommand(bytes);
      sent.push({ sequence, low, name });
      return true;
    },
    rejected: ({ command, reason }) => rejected.push({ command, reason }),
  });
  return { commands, sent, rejected, way };
}

const done = (sequence: number, result: number): Parameters<Commands["applied"]>[0] => ({
  kind: "done",
  client,
  sequence,
  result,
  repeated: false,
});

describe("a call", () => {
  it("resolves with the result of its own entry", async () => {
    const { commands, sent } = createWay();
    const [first, second] = [commands.call("a", 1), commands.call("b", 2)];
    expect(sent.map(({ sequence }) => sequence)).toEqual([1, 2]);
    commands.applied(done(2, 20));
    commands.applied(done(1, 10));
    expect(await first).toBe(10);
    expect(await second).toBe(20);
  });

  it("is settled once: a repetition changes nothing", async () => {
    const { commands } = createWay();
    const call = commands.call("a", 1);
    commands.applied(done(1, 10));
    commands.applied(done(1, 11));
    expect(await call).toBe(10);
  });

  it("rejects with the machine's reason, and tells listeners", async () => {
    const { commands, rejected } = createWay();
    const call = commands.call("claim", undefined);
    commands.applied({
      kind: "rejected",
      client,
      sequence: 1,
      reason: "taken",
      detail: { by: "kim" },
      repeated: false,
      cause: undefined,
    });
    await expect(call).rejects.toMatchObject({
      code: "REJECTED",
      reason: "taken",
      detail: { by: "kim" },
    });
    expect(rejected).toEqual([{ command: "claim", reason: "taken" }]);
  });

  it("whose session is gone ends as SESSION_EXPIRED with an unknown outcome", async () => {
    const { commands } = createWay();
    const call = commands.call("a", 1);
    commands.applied({ kind: "expired", client, sequence: 1 });
    await expect(call).rejects.toMatchObject({ code: "SESSION_EXPIRED", outcome: "unknown" });
  });

  it("waits without a way, and goes out in order when one opens", () => {
    const { commands, sent, way } = createWay(false);
    void commands.call("a", 1);
    void commands.call("b", 2);
    expect(sent).toEqual([]);
    way.open = true;
    commands.resend();
    expect(sent.map(({ name }) => name)).toEqual(["a", "b"]);
  });

  it("keeps its number when it is sent again, so that it is applied once", () => {
    const { commands, sent } = createWay();
    void commands.call("a", 1);
    commands.resend();
    expect(sent.map(({ sequence }) => sequence)).toEqual([1, 1]);
  });

  it("gets no number before the room's state is known", () => {
    const { commands, sent, way } = createWay();
    way.known = false;
    void commands.call("a", 1);
    expect(sent).toEqual([]);
    way.known = true;
    commands.resend();
    expect(sent).toEqual([{ sequence: 1, low: 1, name: "a" }]);
  });

  it("tells the session below which results are no longer needed", () => {
    const { commands, sent } = createWay();
    void commands.call("a", 1);
    void commands.call("b", 1);
    commands.applied(done(1, 0));
    void commands.call("c", 1);
    expect(sent.at(-1)).toEqual({ sequence: 3, low: 2, name: "c" });
  });

  it("beyond what a session takes waits for a place in it", () => {
    const { commands, sent } = createWay();
    for (let i = 0; i < 600; i++) void commands.call("a", i);
    expect(sent).toHaveLength(512);
    commands.applied(done(1, 0));
    expect(sent).toHaveLength(513);
    expect(sent.at(-1)).toMatchObject({ sequence: 513, low: 2 });
  });

  it("waits while an old call stays open, however many have ended since", () => {
    const { commands, sent } = createWay();
    for (let i = 1; i <= 600; i++) {
      void commands.call("a", i);
      if (i > 1) commands.applied(done(i, 0));
    }
    expect(sent).toHaveLength(512);
    commands.applied(done(1, 0));
    expect(sent).toHaveLength(600);
  });

  it("is settled by a snapshot's sessions when its entry went by inside", async () => {
    const { commands } = createWay();
    const [first, second] = [commands.call("a", 1), commands.call("b", 1)];
    commands.restored((sequence) => (sequence === 1 ? { kind: "done", result: 5 } : undefined));
    expect(await first).toBe(5);
    commands.applied(done(2, 6));
    expect(await second).toBe(6);
  });
});

describe("a signal", () => {
  it("ends a call that was never sent with outcome none", async () => {
    const { commands } = createWay();
    const before = commands.call("a", 1, AbortSignal.abort());
    await expect(before).rejects.toMatchObject({ code: "ABORTED", outcome: "none" });
  });

  it("ends a call that was sent with outcome unknown, and its number is never used again", async () => {
    const { commands, sent } = createWay();
    const abort = new AbortController();
    const call = commands.call("a", 1, abort.signal);
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: "ABORTED", outcome: "unknown" });
    commands.resend();
    void commands.call("b", 1);
    expect(sent.map(({ sequence, name }) => `${sequence}${name}`)).toEqual(["1a", "2b"]);
  });

  it("does nothing to a call that is settled", async () => {
    const { commands } = createWay();
    const abort = new AbortController();
    const call = commands.call("a", 1, abort.signal);
    commands.applied(done(1, 3));
    abort.abort();
    expect(await call).toBe(3);
  });
});

describe("closing", () => {
  it("ends what waits and refuses what comes", async () => {
    const { commands } = createWay(false);
    const waiting = commands.call("a", 1);
    const closed = new LogboomError("CLOSED", "closed", { outcome: "unknown" });
    commands.close(closed);
    await expect(waiting).rejects.toBe(closed);
    await expect(commands.call("b", 1)).rejects.toBe(closed);
  });
});

describe("a full queue", () => {
  it("refuses the next call and says what to do", async () => {
    const { commands } = createWay(false);
    const calls = Array.from({ length: waitingMax }, () => commands.call("a", 1));
    await expect(commands.call("a", 1)).rejects.toThrow(/10000 commands of this page wait already/);
    commands.close(new LogboomError("CLOSED", "closed"));
    await Promise.allSettled(calls);
  });
});
