import { describe, expect, test } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import { createVirtualClock } from "../../lib/testing/virtual-clock.js";
import { createMemoryNetwork, type MemoryNetworkOptions } from "../../lib/transport/memory.js";
import type { PeerEvent, Transport } from "../../lib/transport/transport.js";

function world(options: Partial<MemoryNetworkOptions> = {}) {
  const clock = createVirtualClock();
  const network = createMemoryNetwork({ clock, random: seededRandom(3), ...options });
  const heard: string[] = [];
  const open = (id: number): Transport => {
    const transport = network.open(id);
    transport.onFrame((from, frame) => heard.push(`${from}→${id} ${frame[0]}`));
    transport.onPeer((event: PeerEvent) => {
      heard.push(`${id}: ${event.peer} ${event.type} ${event.generation}`);
    });
    return transport;
  };
  return { clock, network, heard, open };
}

const frame = (value: number): Uint8Array => Uint8Array.of(value);

describe("a partition in memory", () => {
  test("is silent at first, then ends the links across it, and only those", () => {
    const { clock, network, heard, open } = world();
    const [a] = [open(1), open(2), open(3)] as const;
    clock.advance(10);
    heard.length = 0;
    network.partition([1, 3], [2]);
    expect(a.send(2, frame(1))).toBe(true);
    expect(a.send(3, frame(2))).toBe(true);
    clock.advance(4999);
    expect(heard).toEqual(["1→3 2"]);
    clock.advance(1);
    expect(heard.slice(1)).toEqual(["1: 2 down 1", "2: 1 down 1", "2: 3 down 1", "3: 2 down 1"]);
    expect(a.peers()).toEqual([3]);
  });

  test("that heals before it was noticed leaves the link as it was, less what was sent", () => {
    const { clock, network, heard, open } = world();
    const [a] = [open(1), open(2)] as const;
    clock.advance(10);
    heard.length = 0;
    network.partition([1], [2]);
    a.send(2, frame(1));
    clock.advance(1000);
    network.heal();
    a.send(2, frame(2));
    clock.advance(10_000);
    expect(heard).toEqual(["1→2 2"]);
  });

  test("that heals later brings a link of the next generation, without frames of the last", () => {
    const { clock, network, heard, open } = world({ detectMs: 10, latencyMs: [100, 100] });
    const [a] = [open(1), open(2)] as const;
    clock.advance(100);
    heard.length = 0;
    a.send(2, frame(1), { bulk: true });
    network.partition([1], [2]);
    clock.advance(10);
    network.partition(); // healed: up again 100 ms later
    clock.advance(100);
    a.send(2, frame(2));
    clock.advance(1000);
    expect(heard).toEqual(["1: 2 down 1", "2: 1 down 1", "1: 2 up 2", "2: 1 up 2", "1→2 2"]);
  });

  test("between peers of which one is opened meanwhile keeps them apart", () => {
    const { clock, network, open } = world();
    network.partition([1], [2]);
    const [a, b] = [open(1), open(2)];
    clock.advance(10_000);
    expect([a.peers(), b.peers()]).toEqual([[], []]);
    network.heal();
    clock.advance(10);
    expect([a.peers(), b.peers()]).toEqual([[2], [1]]);
  });
});

describe("a network in memory", () => {
  test("drops frames of a link that was replaced while they were under way", () => {
    const { clock, heard, open } = world({ latencyMs: [50, 50] });
    const [a, b] = [open(1), open(2)];
    clock.advance(50);
    a.send(2, new Uint8Array(16 * 1024 * 200).fill(1), { bulk: true }); // 250 ms on its way
    void b.close();
    open(2);
    clock.advance(50);
    heard.length = 0;
    a.send(2, frame(2));
    clock.advance(1000);
    expect(heard).toEqual(["1→2 2"]);
  });

  test("loses, repeats and reorders as told, the same way for the same seed", () => {
    const run = (options: Partial<MemoryNetworkOptions>): string[] => {
      const { clock, heard, open } = world(options);
      const [a] = [open(1), open(2)] as const;
      clock.advance(100);
      heard.length = 0;
      for (let i = 0; i < 100; i++) a.send(2, frame(i));
      clock.advance(100);
      return heard;
    };
    const lossy = run({ lossPercent: 30 });
    expect(lossy.length).toBeGreaterThan(50);
    expect(lossy.length).toBeLessThan(90);
    expect(run({ lossPercent: 30 })).toEqual(lossy);
    expect(run({ repeatPercent: 30 }).length).toBeGreaterThan(110);
    expect(run({ latencyMs: [1, 50] })).not.toEqual(run({}));
    expect(run({ latencyMs: [1, 50] }).sort()).toEqual(run({}).sort());
  });

  test("has each peer once", () => {
    const { open } = world();
    open(1);
    expect(() => open(1)).toThrow("peer 1 is open already");
  });

  test("delivers a copy: a buffer that is used again changes nothing", () => {
    const { clock, heard, open } = world();
    const [a] = [open(1), open(2)] as const;
    clock.advance(10);
    heard.length = 0;
    const buffer = frame(1);
    a.send(2, buffer);
    buffer[0] = 9;
    clock.advance(10);
    expect(heard).toEqual(["1→2 1"]);
  });
});
