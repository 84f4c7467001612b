/** The driver: a long backlog gives way to timers and frames, and what is committed waits its turn. */
import { afterEach, describe, expect, it } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { BareNode } from "../../lib/runtime/bare-node.js";
import { createMemoryMedium, openMemoryStore } from "../../lib/storage/memory.js";
import { createVirtualClock } from "../../lib/testing/virtual-clock.js";
import { Journal, settle } from "./cluster.js";

let node: BareNode<number> | undefined;
afterEach(async () => node?.close());

describe("a machine that takes a millisecond for each command", () => {
  it("does not keep timers waiting: no turn takes longer than its share", async () => {
    const clock = createVirtualClock();
    let worked = 0;
    const now = (): number => clock.now() + worked;
    const machine = new Journal();
    const apply = machine.apply.bind(machine);
    machine.apply = (entry) => {
      worked += 1;
      return apply(entry);
    };
    const turns: number[] = [];
    const after: typeof clock.after = (ms, run) =>
      clock.after(ms, () => {
        const before = machine.commands.length;
        run();
        turns.push(machine.commands.length - before);
      });
    node = await BareNode.open<number>({
      id: 1,
      store: await openMemoryStore({ medium: createMemoryMedium() }),
      machine,
      clock: { ...clock, now, after },
      random: seededRandom(1),
      timing: { tickMs: 50, heartbeatTicks: 1, electionTicks: 10 },
      found: () => new TextEncoder().encode("[]"),
      events: {
        send: () => true,
        applied: () => {},
        restored: () => {},
        configured: () => {},
        softState: () => {},
        progressed: () => {},
        failed: (error) => {
          throw error;
        },
      },
    });
    node.start();
    node.campaign();
    await settle();
    node.propose(Array.from({ length: 500 }, () => Uint8Array.of(65)));
    await settle();
    // The clock is looked at every 64 commands: 500 of them take several turns.
    expect(machine.commands.length).toBeGreaterThan(0);
    expect(machine.commands.length).toBeLessThan(200);
    expect(node.backlog).toBe(500 - machine.commands.length);
    clock.advance(0);
    expect(turns.length).toBeGreaterThan(4);
    expect(Math.max(...turns)).toBeLessThanOrEqual(64);
    expect(machine.commands).toHaveLength(500);
    expect(node.backlog).toBe(0);
  });
});
